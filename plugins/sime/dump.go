package main

import (
	"context"
	"fmt"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
)

// dumps are queries for what is in the graph, by a key. Nodes that others made,
// which have no URI, are known by their number.
var dumps = []struct{ what, query string }{
	{"node", `MATCH (n:Resource) RETURN n.uri AS key, [labels(n), properties(n)] AS value`},
	{"relation", `MATCH (a:Resource)-[r]->(b)
RETURN a.uri + ' ' + type(r) + ' ' + coalesce(b.uri, elementId(b)) AS key, collect(properties(r)) AS value`},
	{"sighting", `MATCH (s:DatadisSighting) WHERE s.instance = $instance RETURN s.id AS key, properties(s) AS value`},
}

// DumpState implements [sdk.StateDumper]: every resource, since none says which
// instance wrote it, and what this instance remembers of runs. It is for tests.
func (h *harmonizer) DumpState(ctx context.Context, write func(key, value string) error) error {
	for _, d := range dumps {
		rows, err := h.client.Rows(ctx, neo4j.Statement{Query: d.query, Params: map[string]any{"instance": h.name}})
		if err != nil {
			return err
		}
		for _, r := range rows {
			// Maps are printed in the order of their keys.
			if err := write(fmt.Sprint(d.what, " ", r["key"]), fmt.Sprint(r["value"])); err != nil {
				return err
			}
		}
	}
	return nil
}
