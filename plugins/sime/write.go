package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/plugins/internal/mapping"
	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
)

const sightingFields = `RETURN s.id AS id, s.device AS device, s.supply AS supply, s.cups AS cups, s.username AS username,
       s.nif AS nif, s.run AS run, s.seen AS seen, s.start AS start, s.end AS end`

const sightingsOfDevices = `MATCH (s:DatadisSighting) WHERE s.device IN $devices AND s.instance = $instance
` + sightingFields

const writeSightings = `UNWIND $rows AS row
MERGE (s:DatadisSighting {id: row.id}) SET s += row.set`

// writeSupplies writes what the views become, and returns the items that the
// graph knows from a later listing. Of several accounts that see a supply, the
// one that describes it best does.
func (h *harmonizer) writeSupplies(ctx context.Context, tx neo4j.Tx, views []*view) ([]int, error) {
	known, err := h.known(ctx, tx, views)
	if err != nil {
		return nil, err
	}
	var older []int
	batch := newBatch(h.mapping)
	var sightings []any
	current := known.latest(views)
	for _, v := range views {
		if before, ok := known[v.ID]; ok {
			if before.Seen.After(v.Seen) {
				older = append(older, v.item)
				continue
			}
			if v.Start.IsZero() && v.End.IsZero() { // its contract could not be had now
				v.Start, v.End = before.Start, before.End
			}
		}
		if current[v.ID] != v {
			continue // a later one of the same account is in this batch
		}
		sightings = append(sightings, v.row(h.name))
		batch.link(v.graph)
		if h.describes(v, known, current) {
			batch.add(v.graph)
		}
	}
	for _, s := range append(batch.statements(), neo4j.Statement{Query: writeSightings, Params: map[string]any{"rows": sightings}}) {
		if _, err := tx.Run(ctx, s); err != nil {
			return nil, err
		}
	}
	return older, nil
}

// sightings by their id.
type sightings map[string]sighting

// known reads what the graph remembers of the views' devices.
func (h *harmonizer) known(ctx context.Context, tx neo4j.Tx, views []*view) (sightings, error) {
	var devices []string
	for _, v := range views {
		devices = append(devices, v.Device)
	}
	rows, err := tx.Run(ctx, neo4j.Statement{Query: sightingsOfDevices, Params: map[string]any{"devices": devices, "instance": h.name}})
	if err != nil {
		return nil, err
	}
	known := sightings{}
	for _, r := range rows {
		s := sightingOf(r)
		known[s.ID] = s
	}
	return known, nil
}

// latest is the last view of each account and supply in the batch.
func (sightings) latest(views []*view) map[string]*view {
	latest := map[string]*view{}
	for _, v := range views {
		if other := latest[v.ID]; other == nil || !v.Seen.Before(other.Seen) {
			latest[v.ID] = v
		}
	}
	return latest
}

// describes tells whether no other account that saw the supply lately describes
// it better.
func (h *harmonizer) describes(v *view, known sightings, current map[string]*view) bool {
	for id, other := range known {
		lately := other.Seen.After(v.Seen.Add(-h.missingFor))
		if id != v.ID && current[id] == nil && other.Device == v.Device && lately && other.better(v.sighting) {
			return false
		}
	}
	for id, other := range current {
		if id != v.ID && other.Device == v.Device && other.better(v.sighting) {
			return false
		}
	}
	return true
}

// batch gathers nodes and relations, and makes one statement of all that can be
// written alike. Labels and types of relations, which cannot be parameters, come
// from the mapping, which takes letters, digits and underscores only; all else
// is a parameter.
type batch struct {
	mapping   *mapping.Mapping
	nodes     map[string][]any // by labels
	relations map[string][]any // by type
	single    map[string][]any
	links     map[int][]any // by index of the mapping's links
}

func newBatch(m *mapping.Mapping) *batch {
	return &batch{m, map[string][]any{}, map[string][]any{}, map[string][]any{}, map[int][]any{}}
}

func (b *batch) add(g mapping.Graph) {
	for _, n := range g.Nodes {
		b.node(n)
	}
	b.relate(g.Relations)
}

func (b *batch) node(n mapping.Node) {
	labels := strings.Join(quoted(n.Labels), ":")
	b.nodes[labels] = append(b.nodes[labels], map[string]any{"uri": n.URI, "set": notNil(n.Set), "once": notNil(n.Once)})
}

func (b *batch) relate(relations []mapping.Relation) {
	for _, r := range relations {
		to := b.relations
		if r.Single {
			to = b.single
		}
		to[r.Type] = append(to[r.Type], map[string]any{"from": r.From, "to": r.To, "set": notNil(r.Set)})
	}
}

// link connects the device with the nodes of users, whoever describes it.
func (b *batch) link(g mapping.Graph) {
	for _, l := range g.Linked {
		b.links[l.Link] = append(b.links[l.Link], map[string]any{"from": l.From, "value": l.Value})
	}
}

// notNil is the map, or an empty one: null cannot be added to a node.
func notNil(set map[string]any) map[string]any {
	if set == nil {
		return map[string]any{}
	}
	return set
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = "`" + name + "`"
	}
	return out
}

const (
	writeNodes = `UNWIND $rows AS row
MERGE (n:Resource {uri: row.uri}) ON CREATE SET n += row.once
SET n%s += row.set`

	writeRelations = `UNWIND $rows AS row
MATCH (a:Resource {uri: row.from})
MERGE (b:Resource {uri: row.to})
MERGE (a)-[r:%s]->(b) SET r += row.set`

	removeOthers = `UNWIND $rows AS row
MATCH (:Resource {uri: row.from})-[r:%s]->(b)
WHERE b.uri <> row.to AND all(key IN keys(row.set) WHERE r[key] = row.set[key])
DELETE r`

	writeLinks = `UNWIND $rows AS row
MATCH (a:Resource {uri: row.from})
MATCH (b:%s) WHERE toUpper(trim(toString(b.%s))) = toUpper(row.value)
MERGE (a)-[:%s]->(b)`
)

// statements are what was gathered, in an order that is the same each time:
// processes that write the same nodes then wait for each other less often.
func (b *batch) statements() []neo4j.Statement {
	var all []neo4j.Statement
	add := func(rows []any, query string, names ...any) {
		all = append(all, neo4j.Statement{Query: fmt.Sprintf(query, names...), Params: map[string]any{"rows": rows}})
	}
	for _, labels := range sortedKeys(b.nodes) {
		set := ""
		if labels != "" {
			set = ":" + labels + ", n"
		}
		add(b.nodes[labels], writeNodes, set)
	}
	for _, kind := range sortedKeys(b.single) {
		add(b.single[kind], removeOthers, "`"+kind+"`")
		add(b.single[kind], writeRelations, "`"+kind+"`")
	}
	for _, kind := range sortedKeys(b.relations) {
		add(b.relations[kind], writeRelations, "`"+kind+"`")
	}
	for i, l := range b.mapping.Links() {
		if rows := b.links[i]; len(rows) > 0 {
			add(rows, writeLinks, "`"+l.Label+"`", "`"+l.Property+"`", "`"+l.Type+"`")
		}
	}
	return all
}

func sortedKeys(m map[string][]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// leaving removes the relations to users that a supply has left.
func (b *batch) leaving(rows []any) []neo4j.Statement {
	var all []neo4j.Statement
	if len(rows) == 0 {
		return nil
	}
	for _, l := range b.mapping.Links() {
		query := fmt.Sprintf(leaveSupplies, "`"+l.Type+"`", "`"+l.Label+"`", "`"+l.Property+"`")
		all = append(all, neo4j.Statement{Query: query, Params: map[string]any{"rows": rows}})
	}
	return all
}
