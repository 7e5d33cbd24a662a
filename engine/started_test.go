package main

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// A plugin that may not be started costs the others nothing: a source of it has
// failed, a harmonizer is missing, and the command says so in the end. What is
// wrong with a configuration is for somebody to mend first.
func TestPluginsThatMayNotBeStarted(t *testing.T) {
	t.Parallel()
	const source, harmonizer = plugin.SourceKind, plugin.HarmonizerKind
	problem := func(status host.Status, kinds ...plugin.Kind) host.Problem {
		return host.Problem{Instance: "north", Status: status, Kinds: kinds, Message: "why"}
	}
	cases := []struct {
		name    string
		roles   []plugin.Kind
		problem host.Problem
		failed  bool // as a source
		absent  int  // harmonizers
		refused bool
		others  int // problems that are left
	}{
		{"an exchanged source", []plugin.Kind{source}, problem(host.Modified, source), true, 0, true, 0},
		{"an exchanged harmonizer", []plugin.Kind{harmonizer}, problem(host.Modified, harmonizer), false, 1, true, 0},
		{"both at once", []plugin.Kind{source, harmonizer}, problem(host.Unsafe, source, harmonizer), true, 1, true, 0},
		{"not needed", []plugin.Kind{source}, problem(host.Modified, harmonizer), false, 0, false, 0},
		{"nobody knows what it is, for a producer", []plugin.Kind{source}, problem(host.Failed), true, 0, true, 0},
		{"nobody knows what it is, for all", []plugin.Kind{source, harmonizer}, problem(host.NoManifest), true, 1, true, 0},
		{"a wrong configuration", []plugin.Kind{source}, problem(host.InvalidConfig, source), false, 0, false, 1},
		{"no binary", []plugin.Kind{source}, problem(host.NoPlugin), false, 0, false, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlugins(&settings.Settings{}, c.roles...)
			others := p.leaveOut([]host.Problem{c.problem}, slog.New(slog.DiscardHandler))
			reason, failed := p.failed["north"]
			if failed != c.failed || failed && !strings.Contains(reason, "why") {
				t.Errorf("failed sources %v", p.failed)
			}
			if p.absent != c.absent || len(others) != c.others {
				t.Errorf("%d harmonizers are absent, %v left", p.absent, others)
			}
			err := p.missed()
			if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "plugin north was not started") {
				t.Errorf("in the end: %v", err)
			}
		})
	}
}

// Only instances that play a role of the command are started.
func TestNeededInstances(t *testing.T) {
	t.Parallel()
	instances := []host.Instance{
		{Name: "north", Kinds: []plugin.Kind{plugin.SourceKind}},
		{Name: "parquet", Kinds: []plugin.Kind{plugin.HarmonizerKind}},
		{Name: "sime", Kinds: []plugin.Kind{plugin.SourceKind, plugin.HarmonizerKind}},
	}
	for role, want := range map[plugin.Kind][]string{
		plugin.SourceKind: {"north", "sime"}, plugin.HarmonizerKind: {"parquet", "sime"},
	} {
		var got []string
		for _, in := range newPlugins(&settings.Settings{}, role).needed(instances) {
			got = append(got, in.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("as a %s: %v, want %v", role, got, want)
		}
	}
}

// Sources that did not start are told of together with those that failed later,
// and the later reason is the one that counts.
func TestFailedSourcesAreToldTogether(t *testing.T) {
	t.Parallel()
	p := newPlugins(&settings.Settings{}, plugin.SourceKind)
	p.failed["north"], p.failed["south"] = "did not start", "did not start"
	got := p.withFailed(map[string]string{"south": "hung", "west": "hung"})
	want := map[string]string{"north": "did not start", "south": "hung", "west": "hung"}
	if !maps.Equal(got, want) {
		t.Errorf("failed %v, want %v", got, want)
	}
	if len(p.failed) != 2 {
		t.Errorf("what did not start has changed: %v", p.failed)
	}
}
