package simulator

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Truth is one reading that a perfect client knows: its decimals are those on
// the wire, and empty where Datadis says null or nothing.
type Truth struct {
	CUPS       string
	Property   string // EnergyConsumptionGridElectricity, Power or ReactiveEnergy
	Resolution string // PT1H, PT15M or P1M
	Start, End time.Time

	Value           string // kWh; Power kW, ReactiveEnergy kVArh
	Surplus         string
	Generation      string
	SelfConsumption string
	Method          string
	Period          string // of Power and ReactiveEnergy: 1 to 6
	Flags           string // merged: two hours in one reading
}

// Truth is what Datadis would answer now to somebody who asked for all that
// can be asked: every series of every supply that some login sees, over the
// whole window, sorted by CUPS, series and time. Padded and repeated rows are
// no readings.
func (s *Simulator) Truth() iter.Seq[Truth] {
	now := s.clock.now()
	p := s.published(now)
	return func(yield func(Truth) bool) {
		for _, supply := range s.seen(now) {
			for t := range p.truth(supply) {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// seen are the supplies that anybody sees, by CUPS.
func (s *Simulator) seen(now time.Time) []*supply {
	var supplies []*supply
	for _, e := range s.world.entitlements(now) {
		supplies = append(supplies, s.world.byCUPS[e.CUPS])
	}
	slices.SortFunc(supplies, func(a, b *supply) int { return strings.Compare(a.CUPS, b.CUPS) })
	return slices.Compact(supplies)
}

// Entitlements lists who sees which supply now.
func (s *Simulator) Entitlements() []Entitlement { return s.world.entitlements(s.clock.now()) }

func (p published) truth(s *supply) iter.Seq[Truth] {
	from, to := p.window(s)
	return func(yield func(Truth) bool) {
		for _, series := range []iter.Seq[Truth]{
			p.energyTruth(s, from, to, "PT1H", time.Hour),
			p.energyTruth(s, from, to, "PT15M", 15*time.Minute),
			p.powerTruth(s, from, to),
			p.reactiveTruth(s, from, to),
		} {
			for t := range series {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// window are the months that can be asked for.
func (p published) window(s *supply) (from, to month) {
	from, to = oldest(p.now), monthOf(p.now)
	if first := monthOf(s.first()); from.before(first) {
		from = first
	}
	return from, to
}

func (p published) energyTruth(s *supply, from, to month, resolution string, step time.Duration) iter.Seq[Truth] {
	if s.recording != nil {
		return s.recording.truth(s, from, to, step)
	}
	return func(yield func(Truth) bool) {
		for r := range p.curve(s, from, to, step) {
			if r.kind == padding || r.kind == duplicate {
				continue
			}
			t := Truth{
				CUPS: s.CUPS, Property: propertyEnergy, Resolution: resolution,
				Start: time.Unix(r.start, 0).UTC(), End: time.Unix(r.end, 0).UTC(),
				Value: decimal(r.consumption), Method: r.method,
			}
			if s.company.Fields != "none" {
				t.Surplus = decimal(r.surplus)
			}
			if s.company.Fields == "all" {
				t.Generation, t.SelfConsumption = decimal(r.generation), decimal(r.self)
			}
			if r.kind == merged {
				t.Flags = "merged"
			}
			if !yield(t) {
				return
			}
		}
	}
}

// Properties of the truth.
const (
	propertyEnergy   = "EnergyConsumptionGridElectricity"
	propertyPower    = "Power"
	propertyReactive = "ReactiveEnergy"
	monthly          = "P1M"
)

// WriteTruth writes the truth as CSV.
func (s *Simulator) WriteTruth(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{ // the writer keeps its first error for the end
		"cups", "property", "resolution", "start", "end", "value", "surplus", "generation", "self_consumption",
		"method", "period", "flags",
	})
	for t := range s.Truth() {
		_ = out.Write([]string{
			t.CUPS, t.Property, t.Resolution, t.Start.Format(time.RFC3339), t.End.Format(time.RFC3339),
			t.Value, t.Surplus, t.Generation, t.SelfConsumption, t.Method, t.Period, t.Flags,
		})
	}
	return flush(out, "truth")
}

// WriteEntitlements writes who sees what as CSV.
func (s *Simulator) WriteEntitlements(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"username", "nif", "cups"})
	for _, e := range s.Entitlements() {
		_ = out.Write([]string{e.Username, e.NIF, e.CUPS})
	}
	return flush(out, "entitlements")
}

// WriteUsers writes the logins as a table that the file plugin reads: each
// with the NIFs that ever let it in, lapsed and cancelled consents included as
// in a project's own books, and whether it has supplies of its own.
func (s *Simulator) WriteUsers(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"username", "password", "authorized_nifs", "self", "cups"})
	for _, l := range s.world.source.Logins {
		var nifs []string
		for key := range s.world.consents {
			if key.login == l.Username {
				nifs = append(nifs, key.holder)
			}
		}
		slices.Sort(nifs)
		self := len(s.world.byHolder[l.Username]) > 0 || s.world.anybody != nil
		_ = out.Write([]string{l.Username, l.Password, strings.Join(nifs, ";"), strconv.FormatBool(self), ""})
	}
	return flush(out, "users")
}

func flush(out *csv.Writer, what string) error {
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}
