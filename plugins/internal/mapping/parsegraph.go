package mapping

import (
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

func (p *parser) readSubjects(n node) {
	entries := n.entries()
	for _, e := range entries { // first the names: relations may point to later ones
		p.mapping.subjects = append(p.mapping.subjects, subject{name: e.key})
	}
	for i, e := range entries {
		s := &p.mapping.subjects[i]
		keys := e.value.object("uri!", "classes", "properties", "once", "relations")
		if n, ok := keys["uri"]; ok {
			s.uri = p.uri(n)
		}
		if n, ok := keys["classes"]; ok {
			s.labels = p.names(n)
		}
		s.properties, s.once = p.properties(keys, "properties"), p.properties(keys, "once")
		s.relations = p.relations(keys, "relations")
	}
}

// properties reads property: template.
func (p *parser) properties(keys map[string]node, key string) []property {
	n, ok := keys[key]
	if !ok {
		return nil
	}
	var all []property
	for _, e := range n.entries() {
		name := p.name(e.value, e.key)
		if name == "uri" {
			e.value.fail("the URI is the subject's uri; it cannot be set")
		}
		all = append(all, property{name, p.template(e.value)})
	}
	return all
}

// relations reads relation: target, or a list of targets. A target is a URI, or
// {subject: name} or {uri: …}, both with properties of the relation in "with",
// and "single" where another target replaces the one that was there.
func (p *parser) relations(keys map[string]node, key string) []relation {
	n, ok := keys[key]
	if !ok {
		return nil
	}
	var all []relation
	for _, e := range n.entries() {
		kind := p.name(e.value, e.key)
		targets := []node{e.value}
		if kindOf(e.value.Node) == "a list" {
			targets = e.value.items()
		}
		for _, target := range targets {
			r := p.target(target)
			r.kind = kind
			all = append(all, r)
		}
	}
	return all
}

func (p *parser) target(n node) relation {
	if kindOf(n.Node) != "keys with values" {
		return relation{uri: p.uri(n)}
	}
	keys := n.object("subject", "uri", "with", "single")
	r := relation{with: p.properties(keys, "with")}
	if single, ok := keys["single"]; ok {
		r.single = single.constant() == true
	}
	subject, named := keys["subject"]
	uri, written := keys["uri"]
	switch {
	case named == written:
		n.fail("wants either subject or uri")
	case named:
		r.subject = p.subjectName(subject)
	default:
		r.uri = p.uri(uri)
	}
	return r
}

// subjectName reads the name of a subject that there is.
func (p *parser) subjectName(n node) string {
	name := n.scalar()
	if !slices.ContainsFunc(p.mapping.subjects, func(s subject) bool { return s.name == name }) {
		n.fail("there is no subject %q", name)
	}
	return name
}

func (p *parser) readLinks(n node) {
	for _, item := range n.items() {
		keys := item.object("from!", "relation!", "label!", "property!", "value!")
		if len(keys) < 5 {
			continue
		}
		p.mapping.links = append(p.mapping.links, Link{
			from: p.subjectName(keys["from"]), value: p.template(keys["value"]),
			Type:     p.name(keys["relation"], keys["relation"].scalar()),
			Label:    p.name(keys["label"], keys["label"].scalar()),
			Property: p.name(keys["property"], keys["property"].scalar()),
		})
	}
}

func (p *parser) readUnknown(n node) {
	keys := n.object("subject!", "prefix!")
	if len(keys) < 2 {
		return
	}
	p.mapping.unknown = unknown{p.subjectName(keys["subject"]), keys["prefix"].scalar()}
	if !prefixName.MatchString(p.mapping.unknown.prefix) {
		keys["prefix"].fail("a prefix is made of letters and digits")
	}
}

func (p *parser) readIgnore(n node) {
	for _, name := range n.texts() {
		p.mapping.known[name] = true
	}
}

func (p *parser) readLifecycle(n node) {
	keys := n.object("start!", "end!", "cancelled!", "mark!")
	if len(keys) < 4 {
		return
	}
	named := func(key string) string { return p.name(keys[key], keys[key].scalar()) }
	p.mapping.Lifecycle = Lifecycle{
		Start: named("start"), End: named("end"), Cancelled: named("cancelled"), CancelledMark: keys["mark"].scalar(),
	}
}

func (p *parser) readBuilding(n node) {
	keys := n.object("by_supply", "by_owner")
	for key, to := range map[string]*string{"by_supply": &p.mapping.Building.BySupply, "by_owner": &p.mapping.Building.ByOwner} {
		q, ok := keys[key]
		if !ok {
			continue
		}
		*to = q.scalar()
		if !strings.Contains(*to, "$keys") {
			q.fail("the query does not use its parameter $keys")
		}
	}
}

func (p *parser) readSensors(n node) {
	for _, item := range n.items() {
		keys := item.object("series!", "column!", "device!", "uri!", "classes", "properties", "relations",
			"of_device!", "measurement!", "start!", "end!", "real!", "unstated!")
		if len(keys) < 10 || item.missing(keys, "series", "column", "device", "uri", "of_device", "measurement", "start", "end", "real", "unstated") {
			continue
		}
		s := Sensor{
			Column: keys["column"].scalar(), Real: keys["real"].texts(),
			device: p.uri(keys["device"]), uri: p.uri(keys["uri"]),
			deviceRelation: p.name(keys["of_device"], keys["of_device"].scalar()),
			Start:          p.name(keys["start"], keys["start"].scalar()),
			End:            p.name(keys["end"], keys["end"].scalar()),
			properties:     p.properties(keys, "properties"), relations: p.relations(keys, "relations"),
		}
		if !slices.Contains(columns, s.Column) {
			keys["column"].fail("wants one of %s", strings.Join(columns, ", "))
		}
		unstated, ok := keys["unstated"].constant().(bool)
		if !ok {
			keys["unstated"].fail("wants true or false")
		}
		s.Unstated = unstated
		if c, ok := keys["classes"]; ok {
			s.labels = p.names(c)
		}
		s.Series = p.series(keys["series"])
		p.measurement(keys["measurement"], &s)
		p.mapping.sensors = append(p.mapping.sensors, s)
	}
}

// missing tells whether a key is not there; that was reported.
func (n node) missing(keys map[string]node, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := keys[name]; return !ok })
}

// series reads EnergyConsumptionGridElectricity_PT1H.
func (p *parser) series(n node) []sdk.Series {
	known := []sdk.Series{sdk.EnergyHourly, sdk.EnergyQuarterHour, sdk.PowerMonthly, sdk.ReactiveMonthly}
	var all []sdk.Series
	for _, item := range n.items() {
		text := item.scalar()
		i := slices.IndexFunc(known, func(s sdk.Series) bool { return s.String() == text })
		if i < 0 {
			item.fail("%q is no series; known are %v", text, known)
			continue
		}
		if p.mapping.Sensor(known[i]) != nil {
			item.fail("the series has a sensor already")
		}
		all = append(all, known[i])
	}
	return all
}

func (p *parser) measurement(n node, s *Sensor) {
	keys := n.object("uri!", "relation!", "classes", "properties")
	if n.missing(keys, "uri", "relation") {
		return
	}
	s.measurementURI = p.uri(keys["uri"])
	s.measurementKind = p.name(keys["relation"], keys["relation"].scalar())
	if c, ok := keys["classes"]; ok {
		s.measurementLabels = p.names(c)
	}
	s.measurementOwn = p.properties(keys, "properties")
}
