package main

import (
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// declared is a plugin that says where its data goes.
type declared struct {
	route  sdk.Route
	intake sdk.Intake
}

func (declared) Name() string           { return "p" }
func (declared) Plays(plugin.Kind) bool { return true }
func (d declared) Route() sdk.Route     { return d.route }
func (d declared) Intake() sdk.Intake   { return d.intake }
func to(topic string) declared          { return declared{route: sdk.Route{Topic: topic}} }
func writing(topics ...string) declared { return declared{intake: sdk.Intake{OutputTopics: topics}} }

func TestPluginsKeepOffTheEnginesTopics(t *testing.T) {
	t.Parallel()
	s, _, err := settings.Load(settings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source, harmonizer := []plugin.Kind{plugin.SourceKind}, []plugin.Kind{plugin.HarmonizerKind}
	for name, c := range map[string]struct {
		plugin declared
		roles  []plugin.Kind
		want   string // part of the sentence; "": it may
	}{
		"a topic of its own":         {to("datadis.north"), source, ""},
		"the raw topic":              {to("datadis.raw"), source, `topic "datadis.raw" is the engine's own, see kafka.raw.topic`},
		"the control topic":          {to("datadis.runs"), source, "kafka.control_topic"},
		"no topic":                   {to(""), source, `"" is no name of a Kafka topic`},
		"a folder":                   {to("../x"), source, "no name"},
		"a dot":                      {to("."), source, "no name"},
		"a line":                     {to("a\nb"), source, `"a\nb" is no name`},
		"too long":                   {to(strings.Repeat("a", 250)), source, "no name"},
		"not asked as a source":      {to("datadis.raw"), harmonizer, ""},
		"records for itself":         {writing("a", "b"), harmonizer, ""},
		"records of ends of runs":    {writing("a", "datadis.runs"), harmonizer, "kafka.control_topic"},
		"records beside static data": {writing("datadis.harm"), harmonizer, "kafka.static_topic"},
		"records for nowhere":        {writing("ñ"), harmonizer, "no name"},
	} {
		err := reservedTopics(s).check(c.plugin, c.roles)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The plugin file names its topic after the source. A source named raw would
// write among what Datadis answered; the others are not held up by it.
func TestASourceNamedLikeTheEnginesTopic(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 29, World: smallWorld()})
	s.write("plugins/users.csv", s.users())
	s.write("plugins/config_raw.json", `{"plugin": "file", "path": "users.csv"}`)
	s.write("plugins/config_north.json", `{"plugin": "file", "path": "users.csv"}`)
	result, output := s.run("--from", "2026-01", "--to", "2026-01")
	if result.Outcome != "partial" || !strings.Contains(output, `topic \"datadis.raw\" is the engine's own`) {
		t.Errorf("outcome %q\n%s", result.Outcome, output)
	}
	for _, source := range result.Sources {
		if source.Source == "north" && source.Accounts != 1 {
			t.Errorf("%+v", source)
		}
	}
}
