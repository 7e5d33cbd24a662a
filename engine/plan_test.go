package main

import (
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// What a run asks for: the months that are configured, or those that are typed,
// as of the clock that is simulated, if one is.
func TestScope(t *testing.T) {
	t.Parallel()
	configured := time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC) // April in Madrid
	cases := []struct {
		name     string
		plan     plan
		months   int
		now      time.Time // run.now
		from, to string
		wrong    string // what the error says
	}{
		{"two years", plan{policy: "last"}, 24, configured, "2024-05", "2026-04", ""},
		{"one month", plan{policy: "repair"}, 1, configured, "2026-04", "2026-04", ""},
		{"the flag beats the configuration", plan{policy: "last", now: "2025-12-01T00:00:00+01:00"}, 2, configured, "2025-11", "2025-12", ""},
		{"typed months", plan{policy: "last", from: "2025-01", to: "2025-03"}, 24, configured, "2025-01", "2025-03", ""},
		{"only the first", plan{policy: "last", from: "2025-01"}, 2, configured, "2025-01", "2026-04", ""},
		{"only the last", plan{policy: "last", to: "2026-03"}, 2, configured, "2026-03", "2026-03", ""},
		{"turned round", plan{policy: "last", from: "2025-03", to: "2025-01"}, 24, configured, "", "", "--from 2025-03 is after --to 2025-01"},
		{"a last month before all", plan{policy: "last", to: "2020-01"}, 24, configured, "", "", "is after --to 2020-01"},
		{"no month", plan{policy: "last", from: "March"}, 24, configured, "", "", "--from"},
		{"no policy", plan{policy: "all"}, 24, configured, "", "", "--policy"},
		{"no time", plan{policy: "last", now: "tomorrow"}, 24, configured, "", "", "--now"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &settings.Settings{}
			s.Datadis.Months, s.Run.Now = c.months, c.now
			got, err := c.plan.scope(s)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || exitCode(t.Context(), err) != codeUsage {
					t.Errorf("got %v, want %q and exit code 2", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.window.From.String() != c.from || got.window.To.String() != c.to || got.policy != ledger.Policy(c.plan.policy) {
				t.Errorf("asks %s for %s to %s, want %s to %s", got.policy, got.window.From, got.window.To, c.from, c.to)
			}
			if since := got.now().Sub(got.start); since < 0 || since > time.Hour {
				t.Errorf("the clock is %s from where it starts", since)
			}
		})
	}
}

// Without a simulated time the clock is the machine's.
func TestRealClock(t *testing.T) {
	t.Parallel()
	before := time.Now()
	if got := clock(time.Time{})(); got.Before(before) || time.Since(got) < 0 {
		t.Errorf("the clock says %s", got)
	}
}
