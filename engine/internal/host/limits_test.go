package host

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestLimitsReachTheProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Limits = Limits{Memory: 256 << 20, AddressSpace: 8 << 30, OpenFiles: 100, CPUs: 2, Nice: 3}
	w.write(w.configs, "config_own.json", `{"plugin": {"name": "good", "limits": {"open_files": 200, "nice": 7, "memory": "128MiB"}}}`)
	h := New(w.config)
	instances, problems := h.Instances(t.Context())
	if len(instances) != 1 {
		t.Fatal(instances, problems)
	}
	r, err := h.Start(t.Context(), instances[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	got := text(t, r, "limits")
	for _, want := range []string{
		`Max core file size +0 +0 `, `Max open files +200 +200 `, `Max address space +8589934592 +8589934592 `,
		`\nnice 7\n`, `\nmemory 134217728\n`, `\ncpus 2\n`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestAPluginThatEatsItsAddressSpaceFalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Limits = Limits{AddressSpace: 4 << 30}
	r := w.start("good", nil)
	_, err := ask(t.Context(), r, "eat")
	var fell *FallError
	if !errors.As(err, &fell) || !fell.ByItself() || !strings.Contains(err.Error(), "out of memory") {
		t.Fatalf("%v", err)
	}
	recovered(t, r)
}

func TestWhatAFileSaysToTheEngine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	for config, want := range map[string]struct {
		status Status
		reason string
	}{
		`{"plugin": "good"}`:           {OK, ""},
		`{"plugin": {"name": "good"}}`: {OK, ""},
		`{"plugin": {"name": "good", "limits": {"memory": "1GiB", "nice": 19}}, "word": "x"}`: {OK, ""},
		`{"plugin": {"name": "good", "disabled": true}}`:                                      {Disabled, "its file"},
		`{"plugin": {"name": "good", "limit": {}}}`:                                           {InvalidConfig, `unknown field "limit"; known are name`},
		`{"plugin": {"name": "good", "limits": {"memory": "1GB"}}}`:                           {InvalidConfig, `/plugin/limits/memory: "1GB" is no size`},
		`{"plugin": {"name": "good", "limits": {"nice": 20}}}`:                                {InvalidConfig, "/plugin/limits/nice: want 1 to 19"},
		`{"plugin": {"name": "good", "limits": {"open_files": 3}}}`:                           {InvalidConfig, "/plugin/limits/open_files: want 32 to"},
		`{"plugin": {"name": "good", "limits": {"nice": "x"}}}`:                               {InvalidConfig, "/plugin"},
		`{"plugin": "../x"}`: {InvalidConfig, "/plugin: want the name"},
		`{"plugin": 7}`:      {InvalidConfig, "/plugin: want the name"},
		`{"plugin": null}`:   {InvalidConfig, "/plugin: want the name"},
		`{"plugin": []}`:     {InvalidConfig, "/plugin: want the name"},
		`{"plugin": {}}`:     {NoPlugin, "datadis-plugin-i"},
	} {
		w.write(w.configs, "config_i.json", config)
		all, _ := New(w.config).Survey(t.Context())
		if len(all) != 1 || all[0].Status != want.status || !strings.Contains(all[0].Reason, want.reason) {
			t.Errorf("%s: %s %q", config, all[0].Status, all[0].Reason)
		}
	}
}

// The schema must take what is taken, and refuse what is refused.
func TestFileSchema(t *testing.T) {
	t.Parallel()
	schema, err := FileSchema([]byte(`{"type":"object","additionalProperties":false,"properties":{"word":{"type":"string"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for config, good := range map[string]bool{
		`{"$schema": "x", "plugin": "good", "word": "a"}`:                  true,
		`{"plugin": {"name": "good", "limits": {"nice": 3}}, "word": "a"}`: true,
		`{"plugin": {"name": "good", "limits": {"niceness": 3}}}`:          false,
		`{"plugin": 7}`:  false,
		`{"words": "a"}`: false,
	} {
		tree, err := decodeObject([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		if problems := checkSchema(schema, tree, nil); (len(problems) == 0) != good {
			t.Errorf("%s: %v", config, problems)
		}
	}
}
