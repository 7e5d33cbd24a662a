package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"github.com/datadis-engine/datadis/plugins/internal/gazetteer"
)

// small is a mapping with everything in it once.
const small = `version: 1
prefixes:
  b: http://b.example/o#
  x: https://x.example#
values:
  short:  {first: 20, of: cups}
  powers: {join: contractedPowerkW, with: "-"}
  town:   {gazetteer: municipality, give: geonames}
  towns:  {gazetteer: municipality, give: name}
  code:   {gazetteer: province, give: ine}
  tag:    {slug: "$(municipality) $(address)"}
  since:  {owner: start}
  until:  {owner: end}
  moved:  {date: lastMarketerDate}
  text:   {date: lastMarketerDate, as: text}
  any:    {either: nothing, or: address}
subjects:
  device:
    uri: x:D-$(cups)
    classes: [b:Device]
    properties:
      b:name: $(cups)
      b:both: "$(province), $(municipality)"
      b:half: "$(province), $(nothing)"
      b:powers: $(powers)
      b:number: $(installedCapacity)
      b:constant: true
      b:five: 5
      tag: $(tag)
      b:since: $(since)
      b:until: $(until)
      b:moved: $(moved)
      b:text: $(text)
      b:any: $(any)
      b:town: $(towns)
      b:code: $(code)
    once: {b:new: true}
    relations:
      b:in: [{subject: supply}, {uri: "x:T-$(town)", single: true, with: {b:sure: true}}]
      b:type: b:Meter
      b:whole: https://other.example/$(cups)
  supply:
    uri: x:S-$(short)
    relations: {b:nowhere: {subject: missing}}
  missing:
    uri: x:M-$(nothing)
    properties: {b:a: 1}
device: device
supply: supply
links: [{from: device, relation: of, label: User, property: name, value: $(username)}]
unknown: {subject: device, prefix: raw}
ignore: [contracts]
lifecycle: {start: b:since, end: b:until, cancelled: b:gone, mark: "yes"}
`

func table(t testing.TB) *gazetteer.Table {
	t.Helper()
	table, err := gazetteer.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func parse(t testing.TB, text string) *Mapping {
	t.Helper()
	m, problems := Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return m
}

func TestApply(t *testing.T) {
	t.Parallel()
	raw := `{"cups":"ES0031000000000001BJ0F","province":"Barcelona","municipality":"Sant Cugat del Vallès","address":"C/ d'Àvila, 5",
		"contractedPowerkW":[3.45,20.0],"installedCapacity":3600.5,"nothing":"-","contracts":[{"a":1}],"other":[1,2],"flag":false,"none":null,"blank":"",
		"dateOwner":[{"startDate":"2019-04-01","endDate":"2026-11-03"},{"startDate":"2010-01-01","endDate":""},{"bad":1}],"lastMarketerDate":"2024/02/01"}`
	g, err := parse(t, small).Apply(json.RawMessage(raw), map[string]any{"cups": "ES0031000000000001BJ0F", "username": "B00000000"}, table(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 2 || len(g.Subjects) != 2 {
		t.Fatalf("got %+v", g.Nodes)
	}
	device := g.Nodes[0]
	local := func(y, m, d int) any {
		return dbtype.LocalDateTime(time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC))
	}
	want := map[string]any{
		"b__name": "ES0031000000000001BJ0F", "b__both": "Barcelona, Sant Cugat del Vallès", "b__powers": "3.45-20.0",
		"b__number": 3600.5, "b__constant": true, "b__five": int64(5), "tag": "sant-cugat-del-valles-c-d-avila-5",
		"b__since": local(2019, 4, 1), "b__until": local(2026, 11, 3), "b__moved": local(2024, 2, 1), "b__text": "2024-02-01T00:00:00",
		"b__any": "C/ d'Àvila, 5", "b__town": "Sant Cugat del Vallès", "b__code": "08", "raw__other": "[1,2]", "raw__flag": false,
	}
	if got, expect := fmt.Sprint(device.Set), fmt.Sprint(want); got != expect {
		t.Errorf("got  %s\nwant %s", got, expect)
	}
	if device.URI != "https://x.example#D-ES0031000000000001BJ0F" || fmt.Sprint(device.Labels, device.Once) != "[b__Device] map[b__new:true]" {
		t.Errorf("got %+v", device)
	}
	var relations []string
	for _, r := range g.Relations {
		relations = append(relations, fmt.Sprintf("%s %s %v %v", r.Type, r.To, r.Set, r.Single))
	}
	expect := []string{
		"b__in https://x.example#S-ES0031000000000001BJ map[] false", "b__in https://x.example#T-3110718 map[b__sure:true] true",
		"b__type http://b.example/o#Meter map[] false", "b__whole https://other.example/ES0031000000000001BJ0F map[] false",
	}
	if strings.Join(relations, "\n") != strings.Join(expect, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(relations, "\n"), strings.Join(expect, "\n"))
	}
	if len(g.Linked) != 1 || g.Linked[0].Value != "B00000000" || g.Linked[0].From != device.URI {
		t.Errorf("got %+v", g.Linked)
	}
}

// TestProblems changes one line of the mapping; the error has its number and
// the path.
func TestProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, new, want string }{
		{"version: 1", "version: 2", "line 1: version: this engine reads version 1"},
		{"version: 1\n", "", "line 1: lacks version"},
		{"  b: http://b.example/o#", "  b: nowhere", `line 3: prefixes/b: "nowhere" is no URI`},
		{"classes: [b:Device]", "classes: [bb:Device]", `line 20: subjects/device/classes/0: the prefix "bb" is not declared in prefixes; did you mean b?`},
		{"classes: [b:Device]", "classes: ['b:Dev` DELETE n']", "line 20: subjects/device/classes/0: \"b:Dev` DELETE n\" is no name: use letters, digits and underscores, with a prefix or without"},
		{"classes: [b:Device]", "classes: b:Device", "line 20: subjects/device/classes: wants a list, and is a text"},
		{"      tag: $(tag)", "      \"a b\": $(tag)", `line 29: subjects/device/properties/a b: "a b" is no name: use letters, digits and underscores, with a prefix or without`},
		{"      tag: $(tag)", "      uri: $(tag)", "line 29: subjects/device/properties/uri: the URI is the subject's uri; it cannot be set"},
		{"      tag: $(tag)", "      tag: $(tag", "line 29: subjects/device/properties/tag: a $( is not closed"},
		{"      tag: $(tag)", "      tag:", "line 29: subjects/device/properties/tag: wants a text, and is empty"},
		{"      tag: $(tag)", "      b:name: $(tag)", "line 29: subjects/device/properties/b:name: is there twice"},
		{"{subject: supply}", "{subject: nobody}", `line 39: subjects/device/relations/b:in/0/subject: there is no subject "nobody"`},
		{"{subject: supply}", "{subject: supply, uri: x:a}", "line 39: subjects/device/relations/b:in/0: wants either subject or uri"},
		{"uri: x:M-$(nothing)", "uri: M-$(nothing)", "line 46: subjects/missing/uri: wants a URI, such as icaen:DEVICE-$(cups)"},
		{"uri: x:M-$(nothing)", "urn: x:M", "line 46: subjects/missing/urn: is not known here; known are uri, classes, properties, once, relations"},
		{"{first: 20, of: cups}", "{first: 20}", "line 6: values/short: first wants of too"},
		{"{first: 20, of: cups}", "{first: x, of: cups}", "line 6: values/short/first: first: wants a number of characters"},
		{"{first: 20, of: cups}", "{last: 20, of: cups}", "line 6: values/short/last: is no function; known are date, either, first, gazetteer, join, owner, slug"},
		{"give: name}", "give: population}", "line 9: values/towns/gazetteer: give: wants geonames, ine or name"},
		{"{owner: start}", "{owner: middle}", "line 12: values/since/owner: owner: wants start or end"},
		{"ignore: [contracts]", "ignroe: [contracts]", "line 52: ignroe: is not known here; known are version, prefixes"},
		{"device: device", "device: [", "is no YAML"},
		{"prefix: raw}", "prefix: 'r`w'}", "line 51: unknown/prefix: a prefix is made of letters and digits"},
	} {
		m, problems := Parse([]byte(strings.Replace(small, c.old, c.new, 1)))
		if m != nil || len(problems) == 0 || !strings.Contains(problems[0].Error(), c.want) {
			t.Errorf("%q for %q: got %v\nwant %s", c.new, c.old, problems, c.want)
		}
	}
	if _, problems := Parse(nil); len(problems) != 1 {
		t.Errorf("an empty file: %v", problems)
	}
}

// TestAllProblemsAtOnce reports every line that is wrong.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("b:name", "c:name", "x:D-", "y:D-", "{owner: end}", "{owner: what}").Replace(small)
	_, problems := Parse([]byte(text))
	if len(problems) != 3 || problems[0].Line != 13 || problems[1].Line != 19 || problems[2].Line != 22 {
		t.Errorf("got %v", problems)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	shipped, err := os.ReadFile("../../sime/mapping.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(shipped))
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		m, problems := Parse([]byte(text))
		if (m == nil) == (len(problems) == 0) {
			t.Errorf("a mapping: %v; problems: %v", m != nil, problems)
		}
	})
}

func FuzzApply(f *testing.F) {
	m, places := parse(f, small), table(f)
	f.Add(`{"cups":"ES0031000000000001BJ0F","dateOwner":[{"startDate":"2019-04-01","endDate":""}],"province":"Barcelona"}`)
	f.Add(`{"dateOwner":{},"contractedPowerkW":"x"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		g, err := m.Apply(json.RawMessage(raw), map[string]any{"cups": "ES0031000000000001BJ0F"}, places)
		if err == nil && g.Subjects["device"] == "" {
			t.Error("there is no device")
		}
	})
}
