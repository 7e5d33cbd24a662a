// Package mapping turns Datadis's fields of a supply into nodes and relations
// of a graph, as a YAML file says that a person can read and change. README.md
// in this folder describes the file.
//
// Names become what neosemantics makes of them: bigg:Device is the label
// bigg__Device, bigg:startDate the property bigg__startDate, and every node has
// the label Resource and its URI in the property uri.
package mapping

import (
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// Mapping is a file that was found to be right.
type Mapping struct {
	values   []namedValue
	subjects []subject
	links    []Link
	sensors  []Sensor
	unknown  unknown
	known    map[string]bool // fields that are used, or known to be of no use

	// Device and Supply are the names of the subjects that stand for the meter
	// and for the point of delivery.
	Device, Supply string
	Lifecycle      Lifecycle
	Building       Building
}

// namedValue is a value that is computed once and used by its name.
type namedValue struct {
	name     string
	function function
}

// subject is a node that is made of a supply.
type subject struct {
	name       string
	uri        template
	labels     []string
	properties []property
	once       []property // set when the node is made, and never again
	relations  []relation
}

// property is a property of a node or of a relation.
type property struct {
	name  string
	value template
}

// relation goes from its subject to another one, or to a resource.
type relation struct {
	kind    string
	subject string   // the other one's name, or
	uri     template // the resource's URI
	with    []property
	single  bool // another one of the same kind, and with the same properties, goes
}

// Link is a relation from a subject to a node that somebody else made: it is
// found by a property, and never made.
type Link struct {
	Type     string
	Label    string // of the other node
	Property string // of the other node
	from     string
	value    template
}

// unknown says where fields go that the mapping does not name.
type unknown struct {
	subject string
	prefix  string
}

// Lifecycle names the properties that the end of a run decides.
type Lifecycle struct {
	Start, End    string // of the ownership
	Cancelled     string // set to CancelledMark while the supply is cancelled
	CancelledMark string
}

// Building holds the queries that find the building of a supply: by the URI of
// its supply subject, else by its owner. Each gets a list as $keys and returns
// key and building, of which the first of a key counts. "" asks nothing.
type Building struct {
	BySupply, ByOwner string
}

// Sensor says what a series of a supply becomes.
type Sensor struct {
	Series   []sdk.Series
	Column   string // consumption, surplus, generation, self_consumption, peak, reactive
	Start    string // property with the first instant
	End      string // property with the last instant
	Real     []string
	Unstated bool // whether a reading is real of which nobody says how it was obtained

	device            template
	uri               template
	deviceRelation    string
	measurementURI    template
	measurementKind   string
	labels            []string
	measurementLabels []string
	properties        []property
	measurementOwn    []property
	relations         []relation
}

// Links are the relations to nodes that somebody else made.
func (m *Mapping) Links() []Link { return m.links }

// Sensor is what a series becomes; nil, if it is of no use.
func (m *Mapping) Sensor(series sdk.Series) *Sensor {
	for i := range m.sensors {
		for _, s := range m.sensors[i].Series {
			if s == series {
				return &m.sensors[i]
			}
		}
	}
	return nil
}

// Node is a node to be made or changed.
type Node struct {
	URI    string
	Labels []string
	Set    map[string]any
	Once   map[string]any
}

// Relation is a relation between two nodes with URIs.
type Relation struct {
	From, Type, To string
	Set            map[string]any
	Single         bool // replaces those of its type and with the same properties
}

// Linked is a relation to a node that somebody else made.
type Linked struct {
	Link  int // index into Links
	From  string
	Value any
}

// Graph is what a supply becomes.
type Graph struct {
	Nodes     []Node
	Relations []Relation
	Linked    []Linked
	Subjects  map[string]string // URI of each subject that there is
}

// shortened is a name as neosemantics writes it: bigg:Device → bigg__Device. A
// name without prefix stays.
func shortened(name string) string {
	prefix, rest, ok := strings.Cut(name, ":")
	if !ok {
		return name
	}
	return prefix + "__" + rest
}
