package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"github.com/datadis-engine/datadis/plugins/internal/mapping"
	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
)

// view is a supply as one account sees it, and what becomes of it.
type view struct {
	item   int
	run    string
	supply *sdk.Supply
	own    map[string]any
	graph  mapping.Graph
	sighting
}

// sighting is what the graph remembers of a view: which account saw the supply
// when, and when that account's holder came and went. The nodes
// DatadisSighting hold them, since the end of a run may be told to a process
// that saw nothing of it.
type sighting struct {
	ID         string
	Device     string // URI
	Supply     string // URI
	CUPS       string
	Username   string
	NIF        string
	Run        string
	Seen       time.Time
	Start, End time.Time // of the ownership; zero where it is not known, or lasts
}

// viewOf understands a supply, or says why it cannot be taken.
func (h *harmonizer) viewOf(item int, run string, s *sdk.Supply) (*view, *sdk.ItemResult) {
	source := ""
	for _, name := range s.Sources {
		if h.sources[name] {
			source = name
			break
		}
	}
	if source == "" {
		return nil, &sdk.ItemResult{Item: item, Verdict: sdk.Skipped, Reason: "other_source", Message: "none of its sources is configured here"}
	}
	v := &view{item: item, run: run, supply: s, own: map[string]any{
		"cups": string(s.CUPS), "username": string(s.Username), "source": source, "run": run,
		"owner": string(cmp.Or(s.AuthorizedNIF, s.Username)),
	}}
	if s.AuthorizedNIF != "" {
		v.own["authorized_nif"] = string(s.AuthorizedNIF)
	}
	if s.PostalCode != "" { // has the zero at its start again
		v.own["postalCode"] = s.PostalCode
	}
	if err := h.apply(v); err != nil {
		return nil, &sdk.ItemResult{Item: item, Verdict: sdk.Rejected, Reason: "bad_supply", Message: err.Error()}
	}
	if v.Device == "" {
		return nil, &sdk.ItemResult{Item: item, Verdict: sdk.Rejected, Reason: "bad_supply", Message: "the mapping makes no device of it"}
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{h.name, v.Device, string(s.Username), string(s.AuthorizedNIF)}, "\x00")))
	v.ID, v.CUPS, v.Run = hex.EncodeToString(sum[:16]), string(s.CUPS), run
	v.Username, v.NIF, v.Seen = string(s.Username), string(s.AuthorizedNIF), s.FetchedAt.UTC()
	v.Start, v.End = ownership(s)
	return v, nil
}

func (h *harmonizer) apply(v *view) (err error) {
	if v.graph, err = h.mapping.Apply(v.supply.Raw, v.own, h.places); err != nil {
		return err
	}
	v.Device, v.Supply = v.graph.Subjects[h.mapping.Device], v.graph.Subjects[h.mapping.Supply]
	return nil
}

// ownership is the period of the last owner, from Datadis's own list; without
// one, the time for which the supply is listed ends it.
func ownership(s *sdk.Supply) (start, end time.Time) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(s.Raw, &fields) == nil {
		if start, end, ok := mapping.LastOwner(fields["dateOwner"]); ok {
			return start, end
		}
	}
	if !s.ValidTo.IsZero() {
		local := s.ValidTo.In(sdk.Madrid)
		end = time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	}
	return time.Time{}, end
}

// ended tells whether the ownership was over at a time.
func (s sighting) ended(at time.Time) bool { return !s.End.IsZero() && s.End.Before(at) }

// better tells whether a sighting describes the supply better than another: the
// owner of today before one of the past, the later owner before the earlier, the
// holder's own account before an authorised one, who is not told everything.
func (s sighting) better(other sighting) bool {
	rank := func(x sighting) int {
		if x.ended(x.Seen) {
			return 0
		}
		return 1
	}
	own := func(x sighting) int {
		if x.NIF == "" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(s), rank(other)), s.Start.Compare(other.Start), cmp.Compare(own(s), own(other)),
		cmp.Compare(other.Username, s.Username), cmp.Compare(other.NIF, s.NIF)) > 0
}

// findBuildings asks for the building of each supply, and applies the mapping
// again where there is one.
func (h *harmonizer) findBuildings(ctx context.Context, views []*view) error {
	bySupply, err := h.lookUp(ctx, h.mapping.Building.BySupply, views, func(v *view) string { return v.Supply })
	if err != nil {
		return err
	}
	byOwner, err := h.lookUp(ctx, h.mapping.Building.ByOwner, views, func(v *view) string { return v.own["owner"].(string) })
	if err != nil {
		return err
	}
	for _, v := range views {
		building := bySupply[v.Supply]
		if building == nil {
			building = byOwner[v.own["owner"].(string)]
		}
		if building == nil {
			continue
		}
		v.own["building"] = building
		if err := h.apply(v); err != nil {
			return err
		}
	}
	return nil
}

// lookUp runs a query of the mapping: it only reads, and gets the keys as a
// parameter.
func (h *harmonizer) lookUp(ctx context.Context, query string, views []*view, key func(*view) string) (map[string]any, error) {
	if query == "" {
		return nil, nil
	}
	var keys []string
	for _, v := range views {
		keys = append(keys, key(v))
	}
	rows, err := h.client.Rows(ctx, neo4j.Statement{Query: query, Params: map[string]any{"keys": keys}})
	if err != nil {
		return nil, err
	}
	found := map[string]any{}
	for _, r := range rows {
		key, _ := r["key"].(string)
		if _, known := found[key]; !known && r["building"] != nil {
			found[key] = r["building"]
		}
	}
	return found, nil
}

// row is a sighting as a parameter. Dates have no zone in the graph, instants
// are UTC.
func (s sighting) row(instance string) map[string]any {
	set := map[string]any{
		"instance": instance, "device": s.Device, "supply": s.Supply, "cups": s.CUPS,
		"username": s.Username, "nif": s.NIF, "run": s.Run, "seen": s.Seen,
	}
	if !s.Start.IsZero() { // a contract that could not be had changes nothing
		set["start"], set["end"] = dbtype.LocalDateTime(s.Start), nil
	}
	if !s.End.IsZero() {
		set["end"] = dbtype.LocalDateTime(s.End)
	}
	return map[string]any{"id": s.ID, "set": set}
}

// sightingOf reads a sighting.
func sightingOf(r neo4j.Row) sighting {
	text := func(name string) string { s, _ := r[name].(string); return s }
	s := sighting{
		ID: text("id"), Device: text("device"), Supply: text("supply"), CUPS: text("cups"),
		Username: text("username"), NIF: text("nif"), Run: text("run"),
	}
	if t, ok := r["seen"].(time.Time); ok {
		s.Seen = t.UTC()
	}
	if t, ok := r["start"].(dbtype.LocalDateTime); ok {
		s.Start = dateOf(t)
	}
	if t, ok := r["end"].(dbtype.LocalDateTime); ok {
		s.End = dateOf(t)
	}
	return s
}

// dateOf is a local time of the graph as this package has dates: UTC in name.
func dateOf(t dbtype.LocalDateTime) time.Time {
	local := t.Time()
	return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
}
