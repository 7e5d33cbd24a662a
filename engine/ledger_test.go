package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/sdk"
)

const (
	keptCUPS  = "ES0031000000000001BJ0F"
	otherCUPS = "ES0031000000000002BJ0F"

	// exported is a ledger as it is exported: two chunks of one CUPS, one of
	// another.
	exported = `{"cups":"ES0031000000000001BJ","series":"EnergyConsumptionGridElectricity_PT1H","month":"2026-03","state":"complete","covered":743,"expected":743,"tries_left":6,"last_attempt":"2026-04-02T01:00:00Z","last_answer":"2026-04-02T01:00:00Z","hash":"000000000000feed","revision":1,"sources":{"north":1}}
{"cups":"ES0031000000000001BJ","series":"Power_P1M","month":"2026-03","state":"empty","covered":0,"expected":1,"tries_left":5,"last_attempt":"2026-04-02T01:00:00Z","last_answer":"2026-04-02T01:00:00Z"}
{"cups":"ES0031000000000002BJ","series":"EnergyConsumptionGridElectricity_PT1H","month":"2026-04","state":"partial","covered":700,"expected":720,"tries_left":6,"last_attempt":"2026-05-02T01:00:00Z","last_answer":"2026-05-02T01:00:00Z","hash":"000000000000beef","revision":1}
`
	// older is two documents of the older ledger: one with a month that is
	// complete and one that is not, in the forms of two versions of mongoexport.
	older = `{"_id":"ES0031000000000001BJ0F","data_1h":{"2026-03-01~2026-03-31":{"has_ini_date":true,"date_ini_block":{"$date":"2026-03-01T00:00:00Z"},"date_end_block":{"$date":"2026-03-31T23:59:59Z"},"values":743,"total":743,"retries":6,"date_min":{"$date":"2026-02-28T23:00:00Z"},"date_max":{"$date":"2026-03-31T21:00:00Z"}},"2026-04-01~2026-04-30":{"has_ini_date":true,"date_ini_block":{"$date":"2026-04-01T00:00:00Z"},"date_end_block":{"$date":"2026-04-30T23:59:59Z"},"values":0,"total":720,"retries":5}},"data_15m":{},"max_power":{}}
{"_id":"ES0031000000000002BJ0F","data_1h":{"2026-03-01~2026-03-31":{"has_ini_date":true,"date_ini_block":{"$date":{"$numberLong":"1772323200000"}},"date_end_block":{"$date":{"$numberLong":"1775001599000"}},"values":{"$numberInt":"743"},"total":{"$numberInt":"743"},"retries":{"$numberInt":"6"},"date_min":{"$date":{"$numberLong":"1772319600000"}},"date_max":{"$date":{"$numberLong":"1774990800000"}}}}}
`
)

// ledgerShells are the two places where a ledger may lie.
func ledgerShells(t *testing.T, test func(t *testing.T, s *shell)) {
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		s := newShell(t, "")
		s.environ = append(s.environ, "DATADIS_DATA_DIR="+filepath.Join(s.dir, "data"))
		test(t, s)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, redisShell(t))
	})
}

func redisShell(t *testing.T) *shell {
	t.Helper()
	url := redistest.Start(t).URL()
	s := newShell(t, "")
	s.environ = append(s.environ, "DATADIS_REDIS_USERS_URL="+url, "DATADIS_REDIS_DEVICES_URL="+url)
	return s
}

// do runs a command that must succeed, and returns what it prints.
func (s *shell) do(t *testing.T, args ...string) string {
	t.Helper()
	got := s.engine(t, args...)
	if got.code != codeDone || got.stderr != "" {
		t.Fatalf("engine %s: %+v", strings.Join(args, " "), got)
	}
	return got.stdout
}

func TestLedgerExportImportReset(t *testing.T) {
	t.Parallel()
	ledgerShells(t, func(t *testing.T, s *shell) {
		file := s.write(t, "in.ndjson", exported)
		if got := s.do(t, "ledger", "import", file); got != "3 lines imported\n" {
			t.Errorf("import said %q", got)
		}
		if got := s.do(t, "ledger", "export", keptCUPS, otherCUPS); got != exported {
			t.Errorf("export wrote\n%swant\n%s", got, exported)
		}
		out := filepath.Join(s.dir, "out.ndjson")
		s.do(t, "ledger", "export", "--file", out, otherCUPS)
		text, err := os.ReadFile(out)
		if err != nil || string(text) != strings.SplitAfter(exported, "\n")[2] {
			t.Errorf("the file holds %q, %v", text, err)
		}
		if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file is open to others: %v, %v", info.Mode(), err)
		}

		if got := s.do(t, "ledger", "reset", "--series", "PT1H", "--from", "2026-04", keptCUPS); got != "0 chunks of 0 supplies reset\n" {
			t.Errorf("a reset of nothing said %q", got)
		}
		if got := s.do(t, "ledger", "reset", "--all", "--series", "PT1H"); got != "2 chunks of 2 supplies reset\n" {
			t.Errorf("the reset said %q", got)
		}
		shown := s.do(t, "ledger", "show", keptCUPS)
		if strings.Contains(shown, "complete") || !strings.Contains(shown, "empty") {
			t.Errorf("after the reset of the hours it shows\n%s", shown)
		}
	})
}

func TestLedgerImportOfTheOlderOne(t *testing.T) {
	t.Parallel()
	ledgerShells(t, func(t *testing.T, s *shell) {
		file := s.write(t, "devices.ndjson", older)
		dry := s.do(t, "ledger", "import", "--dry-run", "--source", "north", file)
		if !strings.Contains(dry, "2  chunks would become complete; delivered to north\n") {
			t.Errorf("the dry run said\n%s", dry)
		}
		var result struct{ Documents, Imported, Incomplete, Unproven, Failed int }
		if err := json.Unmarshal([]byte(s.do(t, "ledger", "import", "--source", "north,south", "--output", "json", file)), &result); err != nil {
			t.Fatal(err)
		}
		if result.Documents != 2 || result.Imported != 2 || result.Incomplete != 1 || result.Unproven+result.Failed != 0 {
			t.Errorf("it says %+v", result)
		}
		shown := s.do(t, "ledger", "show", keptCUPS, otherCUPS)
		if strings.Count(shown, "complete") != 2 || strings.Count(shown, "743/743") != 2 || strings.Count(shown, "north:1,south:1") != 2 {
			t.Errorf("it shows\n%s", shown)
		}
	})
}

func TestLedgerImportRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		args   string
		code   int
		stderr string
	}{
		"a JSON array":           {"[" + older, "", codeUsage, "engine: the file is one JSON array; it has to be a document per line: leave out --jsonArray\n"},
		"something else":         {"cups;month\n", "", codeUsage, "engine: the file is neither an export of the ledger nor one of mongoexport; say which with --from\n"},
		"the other kind":         {exported, "--from mongo", codeUsage, "engine: --from mongo: the file looks like one of engine\n"},
		"an unknown kind":        {exported, "--from csv", codeUsage, "engine: --from csv is none of auto, engine, mongo\n"},
		"sources for an export":  {exported, "--source north", codeUsage, "engine: --source and --dry-run are for --from mongo alone\n"},
		"a line that is wrong":   {strings.Replace(exported, `"partial"`, `"parital"`, 1), "", codeFailed, `engine: line 3: not a line of an export: unknown state "parital"` + "\n"},
		"a document that is not": {older + `{"_id":"ES0031000000000003BJ0F"}` + "\n", "", codeFailed, "engine: line 3: not a document of the older ledger: it has none of data_1h, data_15m and max_power\n"},
		"a name of no source":    {older, "--source No!", codeUsage, `engine: --source: "No!" is no name of a source` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, "")
			s.environ = append(s.environ, "DATADIS_DATA_DIR="+filepath.Join(s.dir, "data"))
			args := append([]string{"ledger", "import"}, strings.Fields(c.args)...)
			got := s.engine(t, append(args, s.write(t, "in.ndjson", c.text))...)
			if got.code != c.code || got.stderr != c.stderr {
				t.Errorf("got  %d %q\nwant %d %q", got.code, got.stderr, c.code, c.stderr)
			}
		})
	}
}

func TestLedgerResetRefuses(t *testing.T) {
	t.Parallel()
	for typed, stderr := range map[string]string{
		"":                                     "engine: name the supplies to reset, or give --all\n",
		"--all ES0031":                         "engine: name the supplies to reset, or give --all\n",
		"--all --series PT2H":                  "engine: --series PT2H is none of PT1H, PT15M, power, reactive\n",
		"--all --from 2026-05 --to 2026-04":    "engine: --from 2026-05 is after --to 2026-04\n",
		"--all --from May --series PT1H,power": "engine: --from: ",
	} {
		got := newShell(t, "").engine(t, append([]string{"ledger", "reset"}, strings.Fields(typed)...)...)
		if got.code != codeUsage || !strings.HasPrefix(got.stderr, stderr) {
			t.Errorf("reset %s: %+v", typed, got)
		}
	}
}

// TestLedgerIsNotChangedUnderARun: workers would write over what was changed.
func TestLedgerIsNotChangedUnderARun(t *testing.T) {
	t.Parallel()
	s := redisShell(t)
	options, err := redis.ParseURL(strings.TrimPrefix(s.environ[1], "DATADIS_REDIS_USERS_URL="))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	month := sdk.NewMonth(2026, 3)
	run, err := runs.NewRegistry(client, 0).Open(t.Context(), "test", runs.Spec{Policy: "last", From: month, To: month})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ledger", "import", s.write(t, "in.ndjson", exported)}, {"ledger", "reset", "--all"}} {
		got := s.engine(t, args...)
		want := "engine: run " + run.ID + " is under way and works with the ledger; wait for its end (`engine status`)\n"
		if got.code != codeFailed || got.stderr != want || got.stdout != "" {
			t.Errorf("engine %v: %+v", args, got)
		}
	}
	if got := s.do(t, "ledger", "export"); got != "" {
		t.Errorf("something was written: %s", got)
	}
}
