package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
)

const sightingsOfInstance = `MATCH (s:DatadisSighting) WHERE s.instance = $instance
` + sightingFields + `
ORDER BY device, id`

// decisionsAtOnce is how many supplies are decided in one transaction.
const decisionsAtOnce = 500

// EndRun implements [sdk.RunEnder]. It decides which supplies are enrolled and
// which are cancelled, of a complete run alone, and only where every account
// that ever saw the supply was asked and answered. It looks at the graph alone,
// so any process can do it, and any number of times.
func (h *harmonizer) EndRun(ctx context.Context, end sdk.RunEnd) (sdk.Result, error) {
	if end.Outcome != sdk.Complete {
		return sdk.Result{}, nil
	}
	if err := h.prepare(ctx); err != nil {
		return sdk.Result{}, err
	}
	rows, err := h.client.Rows(ctx, neo4j.Statement{Query: sightingsOfInstance, Params: map[string]any{"instance": h.name}})
	if err != nil {
		return sdk.Result{}, err
	}
	wanted, err := h.source.Wanted(ctx)
	if err != nil {
		return sdk.Result{}, err
	}
	c := court{end: end, wanted: wanted, since: end.Run.Started.Add(-h.missingFor)}
	var decisions []decision
	for len(rows) > 0 {
		first := sightingOf(rows[0]).Device
		n := slices.IndexFunc(rows, func(r neo4j.Row) bool { return sightingOf(r).Device != first })
		if n < 0 {
			n = len(rows)
		}
		var all []sighting
		for _, r := range rows[:n] {
			all = append(all, sightingOf(r))
		}
		if d, decided := c.decide(all); decided {
			decisions = append(decisions, d)
		}
		rows = rows[n:]
	}
	for part := range slices.Chunk(decisions, decisionsAtOnce) {
		if err := h.carryOut(ctx, part); err != nil {
			return sdk.Result{}, err
		}
	}
	return sdk.Result{}, nil
}

// court decides of each supply what a complete run showed.
type court struct {
	end    sdk.RunEnd
	wanted []sdk.Grant // what the users' nodes ask for
	since  time.Time   // a sighting before this is out of date
}

// decision is what becomes of a device and its point of delivery.
type decision struct {
	device, supply string
	cancelled      bool
	start, end     time.Time
	leave          []string // user names whose relation goes: another holder took over
}

// decide judges all sightings of one device. It is not decided where an account
// might still see the supply, and was not heard.
func (c court) decide(all []sighting) (decision, bool) {
	var seen, gone []sighting
	unheard := false
	for _, s := range all {
		switch {
		case s.Seen.After(c.since):
			seen = append(seen, s)
		case c.asked(s):
			gone = append(gone, s)
		default:
			unheard = true
		}
	}
	d := decision{device: all[0].Device, supply: all[0].Supply}
	if len(seen) > 0 {
		best := slices.MaxFunc(seen, func(a, b sighting) int {
			switch {
			case a.better(b):
				return 1
			case b.better(a):
				return -1
			default:
				return 0
			}
		})
		d.start, d.end = best.Start, best.End
		d.cancelled = best.ended(c.end.Run.Started)
		if d.cancelled && unheard {
			return decision{}, false // the next holder may be among those
		}
		d.leave = leaving(best, seen, gone)
		return d, true
	}
	if unheard {
		return decision{}, false
	}
	d.cancelled = true
	last := slices.MaxFunc(gone, func(a, b sighting) int {
		return cmp.Or(a.Start.Compare(b.Start), a.Seen.Compare(b.Seen), cmp.Compare(a.ID, b.ID))
	})
	d.start, d.end = last.Start, last.End
	return d, true
}

// leaving are the users that have nothing more to do with a supply: their
// ownership is over, or they do not see it any more, and another's goes on.
func leaving(best sighting, seen, gone []sighting) []string {
	stay := map[string]bool{best.Username: true}
	for _, s := range seen {
		if !s.ended(s.Seen) || s.Start.Equal(best.Start) {
			stay[s.Username] = true
		}
	}
	var leave []string
	for _, s := range slices.Concat(seen, gone) {
		if !stay[s.Username] && !slices.Contains(leave, s.Username) {
			leave = append(leave, s.Username)
		}
	}
	return leave
}

// asked tells whether the account of a sighting was asked in this run, and
// answered: a user's node wants it, and its grant did not fail. An account that
// is no longer wanted was not asked, and so says nothing.
func (c court) asked(s sighting) bool {
	same := func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }
	for _, f := range c.end.FailedGrants {
		if (f.Username == "" || same(string(f.Username), s.Username)) && same(string(f.NIF), s.NIF) {
			return false
		}
	}
	for _, g := range c.wanted {
		if !same(g.Username, s.Username) {
			continue
		}
		account := s.NIF == "" && g.OwnSupplies ||
			slices.ContainsFunc(g.AuthorizedNIFs, func(nif sdk.NIF) bool { return same(string(nif), s.NIF) })
		supply := len(g.CUPS) == 0 ||
			slices.ContainsFunc(g.CUPS, func(cups sdk.CUPS) bool { return cups.Key() == sdk.CUPS(s.CUPS).Key() })
		if account && supply {
			return true
		}
	}
	return false
}

const (
	// carryOutDecisions sets, or removes where the value is null. No property of
	// a decision is written that the decision does not know.
	carryOutDecisions = `UNWIND $rows AS row
MATCH (n:Resource) WHERE n.uri IN row.uris
SET n += row.set`

	leaveSupplies = `UNWIND $rows AS row
MATCH (:Resource {uri: row.device})-[r:%s]->(u:%s)
WHERE toUpper(trim(toString(u.%s))) IN row.leave
DELETE r`
)

// carryOut writes decisions.
func (h *harmonizer) carryOut(ctx context.Context, decisions []decision) error {
	var rows, leaving []any
	for _, d := range decisions {
		rows = append(rows, map[string]any{"uris": []string{d.device, d.supply}, "set": h.settled(d)})
		if len(d.leave) > 0 {
			names := make([]string, len(d.leave))
			for i, name := range d.leave {
				names[i] = strings.ToUpper(name)
			}
			leaving = append(leaving, map[string]any{"device": d.device, "leave": names})
		}
	}
	b := newBatch(h.mapping)
	return h.client.Write(ctx, func(tx neo4j.Tx) error {
		if _, err := tx.Run(ctx, neo4j.Statement{Query: carryOutDecisions, Params: map[string]any{"rows": rows}}); err != nil {
			return err
		}
		for _, s := range b.leaving(leaving) {
			if _, err := tx.Run(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// settled are the properties of a decision.
func (h *harmonizer) settled(d decision) map[string]any {
	names := h.mapping.Lifecycle
	set := map[string]any{names.Cancelled: nil}
	if d.cancelled {
		set[names.Cancelled] = names.CancelledMark
	}
	if !d.start.IsZero() {
		set[names.Start] = dbtype.LocalDateTime(d.start)
	}
	switch {
	case !d.end.IsZero():
		set[names.End] = dbtype.LocalDateTime(d.end)
	case !d.cancelled:
		set[names.End] = nil
	}
	return set
}
