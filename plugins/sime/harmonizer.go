package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/gazetteer"
	"github.com/datadis-engine/datadis/plugins/internal/mapping"
	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
)

// harmonizer describes supplies and series in Neo4j. What it has to know of
// earlier batches and runs lies in the graph, so that any process can go on.
type harmonizer struct {
	name       string
	client     *neo4j.Client
	source     *neo4j.Source
	mapping    *mapping.Mapping
	places     *gazetteer.Table
	topic      string
	sources    map[string]bool
	missingFor time.Duration
	logger     func(context.Context) *slog.Logger // for a call

	// described are the sensors, by URI, that this process wrote whole. The
	// engine makes one call at a time.
	described map[string]bool

	schema sync.Mutex
	ready  bool // the graph has its constraints
}

func newHarmonizer(in sdk.Instance, c Config, logger func(context.Context) *slog.Logger) (*harmonizer, error) {
	m, problems := c.mapping(in)
	if len(problems) > 0 {
		return nil, sdk.Reject("config", errors.Join(problems...))
	}
	places, err := c.gazetteer(in)
	if err != nil {
		return nil, sdk.Reject("config", err)
	}
	client, err := neo4j.Open(in, c.Neo4j)
	if err != nil {
		return nil, err
	}
	h := &harmonizer{
		name: in.Name, client: client, source: c.Source(client, logger), mapping: m, places: places, topic: c.points(in),
		sources: map[string]bool{}, described: map[string]bool{}, missingFor: c.missingFor(), logger: logger,
	}
	for _, source := range c.sources(in) {
		h.sources[source] = true
	}
	return h, nil
}

// CheckHealth implements the SDK's HealthChecker.
func (h *harmonizer) CheckHealth(ctx context.Context) error { return h.client.CheckHealth(ctx) }

// Close implements [io.Closer].
func (h *harmonizer) Close() error { return h.client.Close() }

// BeginRun implements [sdk.RunBeginner]: it finds out early whether the graph
// can be written to.
func (h *harmonizer) BeginRun(ctx context.Context, _ sdk.Run) error { return h.prepare(ctx) }

// schema are the constraint that neosemantics asks for as well, without which
// two processes could make a node twice, and what the sightings need.
var schema = []string{
	"CREATE CONSTRAINT n10s_unique_uri IF NOT EXISTS FOR (r:Resource) REQUIRE r.uri IS UNIQUE",
	"CREATE CONSTRAINT datadis_sighting IF NOT EXISTS FOR (s:DatadisSighting) REQUIRE s.id IS UNIQUE",
	"CREATE INDEX datadis_sighting_device IF NOT EXISTS FOR (s:DatadisSighting) ON (s.device)",
}

// prepare makes the constraints where they are not there, once in a process.
func (h *harmonizer) prepare(ctx context.Context) error {
	h.schema.Lock()
	defer h.schema.Unlock()
	if h.ready {
		return nil
	}
	for _, statement := range schema {
		if err := h.client.Schema(ctx, statement); err != nil {
			return err
		}
	}
	h.ready = true
	return nil
}

// HarmonizeSupplies implements [sdk.SupplyHarmonizer].
func (h *harmonizer) HarmonizeSupplies(ctx context.Context, batch sdk.Batch[sdk.Supply]) (sdk.Result, error) {
	if err := h.prepare(ctx); err != nil {
		return sdk.Result{}, err
	}
	var result sdk.Result
	var views []*view
	for i := range batch.Items {
		v, refused := h.viewOf(i, batch.Run, &batch.Items[i])
		if refused != nil {
			result.Items = append(result.Items, *refused)
			continue
		}
		views = append(views, v)
	}
	if len(views) == 0 {
		return result, nil
	}
	if err := h.findBuildings(ctx, views); err != nil {
		return sdk.Result{}, err
	}
	var older []int
	err := h.client.Write(ctx, func(tx neo4j.Tx) (err error) {
		older, err = h.writeSupplies(ctx, tx, views)
		return err
	})
	if err != nil {
		return sdk.Result{}, err
	}
	for _, item := range older {
		result.Items = append(result.Items, sdk.ItemResult{Item: item, Verdict: sdk.Skipped, Reason: "older",
			Message: "the graph knows this supply from a later listing"})
	}
	h.warnOfUnknownPlaces(ctx, views)
	return result, nil
}

// warnOfUnknownPlaces tells how many supplies have no city or province in the
// graph because the gazetteer does not know them.
func (h *harmonizer) warnOfUnknownPlaces(ctx context.Context, views []*view) {
	unknown := map[string]int{}
	for _, v := range views {
		if v.supply.Municipality == "" && v.supply.MunicipalityCode == "" {
			continue
		}
		province := h.places.Province(v.supply.ProvinceCode, v.supply.Province)
		if h.places.Municipality(province, v.supply.MunicipalityCode, v.supply.Municipality) == nil {
			unknown[v.supply.Municipality+", "+v.supply.Province]++
		}
	}
	for place, supplies := range unknown {
		h.logger(ctx).WarnContext(ctx, "the gazetteer does not know a municipality", "municipality", place, "supplies", supplies)
	}
}
