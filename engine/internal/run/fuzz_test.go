package run

import (
	"strings"
	"testing"
)

// FuzzParse reads anything as the hash of a run, a field a line.
func FuzzParse(f *testing.F) {
	f.Add("policy=last\nstate=open\nstarted=1700000000000\nfrom=2024-12\nto=2026-11\nroute:north={\"topic\":\"t\"}\nfailed:south=no")
	f.Add("started=yesterday\nfrom=\nroute:=[")
	f.Fuzz(func(t *testing.T, text string) {
		fields := make(map[string]string)
		for line := range strings.SplitSeq(text, "\n") {
			name, value, _ := strings.Cut(line, "=")
			fields[name] = value
		}
		run, err := parse("r1", fields)
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("a problem without words")
		}
		if run.ID != "r1" || run.Routes == nil {
			t.Errorf("not usable: %+v", run)
		}
	})
}
