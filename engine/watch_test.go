package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/view"
)

func watched() view.Status {
	return view.Status{
		DeadLetters: 2,
		Runs: []view.Run{{ID: "r2", Policy: "last", State: "open", Accounts: view.Progress{Done: 3, Total: 4},
			Supplies: view.Progress{Done: 1200, Total: 4800}, Readings: 7, Pace: view.Pace{PerSecond: 2, Seconds: 1800, AtLeast: true}},
			{ID: "r1", Policy: "last", State: "finished", Outcome: "complete"}},
	}
}

// Piped, a line comes for each change, and none without.
func TestWatchWritesPlainLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &statusCommand{app: &app{}, output: &printer{out: &out, format: "table"}, most: 10}
	last := ""
	over := watched()
	over.Runs, over.DeadLetters = over.Runs[1:], 0
	for _, step := range []struct {
		status view.Status
		err    error
	}{{watched(), nil}, {watched(), nil}, {view.Status{}, errors.New("redis is down")}, {over, nil}, {view.Status{}, nil}} {
		var err error
		if last, err = c.again(step.status, step.err, last); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		at, text, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			t.Errorf("a line without its time: %q", line)
		}
		lines = append(lines, text)
	}
	want := `run r2 (last): accounts 3/4, supplies 1,200/4,800, readings 7, 2.0/s, at least 30 min 00 s left; 2 dead letters
redis is down
no run is under way; the last, r1, ended: complete
no run is under way`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("a piped line moves the cursor")
	}
}

// On a terminal each picture covers the one before, also where it is shorter.
func TestWatchRedraws(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &statusCommand{app: &app{terminal: true}, output: &printer{out: &out, format: "table"}, most: 10}
	if _, err := c.again(watched(), nil, ""); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasPrefix(text, "\x1b[H") || !strings.HasSuffix(text, "\x1b[J") || strings.Count(text, "\x1b[K\n") != strings.Count(text, "\n") {
		t.Errorf("%q", text)
	}
	if !strings.Contains(text, "under way") || !strings.Contains(text, "at least 30 min 00 s left") {
		t.Errorf("%s", text)
	}
}

// Whoever answers may come later, and the command ends with its context.
func TestWatchGoesOnWithoutAnEngine(t *testing.T) {
	t.Parallel()
	s := newShell(t, "{}")
	ctx, cancel := context.WithCancelCause(t.Context())
	var stderr bytes.Buffer
	out := &notifying{wrote: make(chan struct{}, 1)}
	a := newApp(out, &stderr, append(s.environ, "DATADIS_DATA_DIR="+s.dir))
	done := make(chan int, 1)
	go func() { done <- a.execute(ctx, []string{"status", "--watch", "--every", "100ms"}) }()
	<-out.wrote
	cancel(errors.New("enough"))
	if code := <-done; code != codeFailed {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if !strings.Contains(out.text, "nothing was run here yet") {
		t.Errorf("it says %q", out.text)
	}
}

// notifying tells when something was written to it.
type notifying struct {
	text  string
	wrote chan struct{}
}

func (n *notifying) Write(p []byte) (int, error) {
	n.text += string(p)
	select {
	case n.wrote <- struct{}{}:
	default:
	}
	return len(p), nil
}
