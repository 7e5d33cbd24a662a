package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// SensorGraph is what a series of a supply becomes, but for its start and end.
type SensorGraph struct {
	Sensor, Measurement Node
	Relations           []Relation
	Hash                string // id of the measurement: SHA-256 of the sensor's URI, in hexadecimal
}

// Graph makes the sensor of a supply's series. The device is not described: its
// supply does that.
func (s *Sensor) Graph(cups sdk.CUPS, series sdk.Series) SensorGraph {
	values := map[string]any{
		"cups": string(cups), "property": string(series.Property), "resolution": string(series.Resolution),
	}
	uri := s.uri.text(values)
	sum := sha256.Sum256([]byte(uri))
	hash := hex.EncodeToString(sum[:])
	values["measurement"] = hash
	measurement := s.measurementURI.text(values)
	g := SensorGraph{
		Hash:        hash,
		Sensor:      Node{URI: uri, Labels: s.labels, Set: valuesOf(s.properties, values)},
		Measurement: Node{URI: measurement, Labels: s.measurementLabels, Set: valuesOf(s.measurementOwn, values)},
		Relations: []Relation{
			{From: s.device.text(values), Type: s.deviceRelation, To: uri},
			{From: uri, Type: s.measurementKind, To: measurement},
		},
	}
	g.Relations = appendRelations(g.Relations, uri, s.relations, values, nil)
	return g
}

// Values is the column that the points are taken from.
func (s *Sensor) Values(c *sdk.Chunk) *sdk.Column {
	switch s.Column {
	case "surplus":
		return &c.Surplus
	case "generation":
		return &c.Generation
	case "self_consumption":
		return &c.SelfConsumption
	case "peak":
		return &c.Peak
	case "reactive":
		return &c.Reactive
	default:
		return &c.Consumption
	}
}

// columns that a sensor may name.
var columns = []string{"consumption", "surplus", "generation", "self_consumption", "peak", "reactive"}

// IsReal tells whether a reading is measured, by what the distributor says of
// it. Where it says nothing, the mapping decides.
func (s *Sensor) IsReal(method string) bool {
	if method == "" {
		return s.Unstated
	}
	return slices.ContainsFunc(s.Real, func(word string) bool { return strings.EqualFold(word, method) })
}
