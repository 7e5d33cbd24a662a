package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// TestSimulate starts the command as its users do, asks it something, and
// interrupts it: it ends cleanly, and leaves the files that were asked for.
func TestSimulate(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	file := func(name string) string { return filepath.Join(s.dir, name) }
	world := s.write(t, "world.json", `{
	  "logins": [{"username": "12345678Z", "password": "x"}],
	  "supplies": [{"cups": "ES0031000000000001BJ0F", "holders": ["12345678Z"], "distributor": "2", "point_type": 5, "from": "2026-11-01"}]
	}`)
	faults := s.write(t, "faults.json", `[{"match": {"endpoint": "login"}, "fault": {"kind": "stall"}}]`)
	process := engineProcess(t, "engine", s.environ, "simulate", "--listen", "127.0.0.1:0", "--world", world,
		"--faults", faults, "--now", "2026-11-04T10:00:00Z", "--url-file", file("url"), "--truth", file("truth.csv"),
		"--entitlements", file("seen.csv"), "--users-out", file("users.csv"), "--log", file("log.jsonl"), "--dir", file("state"))
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line)

	stalled := make(chan struct{})
	go func() { // a stalled call must not hold the end up
		defer close(stalled)
		if status, body := ask(t, url+"/nikola-auth/tokens/login", "username=12345678Z&password=x"); status != 0 {
			t.Errorf("the stalled login was answered: %d %s", status, body)
		}
	}()
	for struck := ""; !strings.Contains(struck, `"struck":1`); _, struck = ask(t, url+"/simulator/faults", "") {
		if t.Context().Err() != nil {
			t.Fatal("the login never came")
		}
	}
	if _, clock := ask(t, url+"/simulator/clock", `{"advance": "24h"}`); !strings.Contains(clock, `"now":"2026-11-05T10:`) {
		t.Errorf("clock: %s", clock)
	}

	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-stalled
	if err := process.Wait(); err != nil {
		t.Errorf("it did not end cleanly: %v", err)
	}
	checkSimulated(t, file, url)
}

// ask posts a body, or gets where there is none. A status of 0 is no answer.
func ask(t *testing.T, url, body string) (int, string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "simulate-test")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(text)
}

// checkSimulated looks at the files that TestSimulate asked for.
func checkSimulated(t *testing.T, file func(string) string, url string) {
	t.Helper()
	for name, want := range map[string]string{
		"url":       url + "\n",
		"users.csv": "username,password,authorized_nifs,self,cups\n12345678Z,x,,true,\n",
		"seen.csv":  "username,nif,cups\n12345678Z,,ES0031000000000001BJ0F\n",
	} {
		if got, err := os.ReadFile(file(name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	// Written again at the end: a day later, a day more is known.
	truth, err := os.ReadFile(file("truth.csv"))
	if n := strings.Count(string(truth), ",PT1H,"); err != nil || n != 48 {
		t.Errorf("truth has %d hours, want those of 1 and 2 November, %v", n, err)
	}
	if _, err := os.Stat(file("state/queries.jsonl")); err != nil {
		t.Error(err)
	}
}

func TestSimulateProblems(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() }) // not before the subtests
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--now", "today"}, codeUsage, `--now: "today"`},
		{[]string{"--api-latency", "slow"}, codeUsage, `--api-latency: "slow"`},
		{[]string{"--repeat-mode", "odd"}, codeUsage, `--repeat-mode: "odd"`},
		{[]string{"--world", "missing.json"}, codeUsage, "missing.json"},
		{[]string{"--accounts", "-1"}, codeUsage, "accounts: -1"},
		{[]string{"--recorded", "missing"}, codeUsage, "recorded: "},
		{[]string{"--listen", busy.Addr().String()}, codeFailed, "address already in use"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			got := newShell(t, "").engine(t, append([]string{"simulate"}, test.args...)...)
			if got.code != test.code || !strings.Contains(got.stderr, test.want) {
				t.Errorf("%d %s; want %d %s", got.code, got.stderr, test.code, test.want)
			}
		})
	}
}

func TestParseLatency(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]simulator.Latency{
		"none":    {},
		"50ms":    {Min: 50 * time.Millisecond, Max: 50 * time.Millisecond},
		"50ms-2s": {Min: 50 * time.Millisecond, Max: 2 * time.Second},
		"real":    {Min: time.Second, Max: 15 * time.Second},
	} {
		if got, err := parseLatency(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "fast", "2s-1s", "-1s", "1s-"} {
		if got, err := parseLatency(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}
