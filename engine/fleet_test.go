package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/truthtest"
)

// fleet is the engine as it runs in production: processes of their own that
// share two Redis servers and a Kafka broker. Of its two sources, both have the
// only user, each has one of two, and of more they share one.
type fleet struct {
	*stage
	users, devices string // addresses
	bootstrap      string
	prefix         string // of topics and groups: the broker is shared by tests
	wanted         map[string]map[string]bool
}

// quick are the settings that make a fleet notice within a test what takes
// minutes in production.
const quick = `"run": {"lease": "2s", "producer_silence": "3s", "drain_timeout": "20s", "workers": 4}`

func newFleet(t *testing.T, config simulator.Config, wrap ...func(http.Handler) http.Handler) *fleet {
	t.Helper()
	bootstrap := fmt.Sprint(kafkatest.Real(t)["bootstrap.servers"])
	return newFleetOn(t, config, redistest.Start(t).URL(), redistest.Start(t).URL(), bootstrap, wrap...)
}

// newFleetOn is a fleet on servers that run already.
func newFleetOn(t *testing.T, config simulator.Config, users, devices, bootstrap string, wrap ...func(http.Handler) http.Handler) *fleet {
	t.Helper()
	f := &fleet{stage: newStage(t, config, wrap...), users: users, devices: devices, bootstrap: bootstrap}
	f.prefix = fmt.Sprintf("t%d", time.Now().UnixNano())
	f.projects()
	f.write("c.json", fmt.Sprintf(`{
		"redis": {"users": {"url": %q}, "devices": {"url": %q}},
		"kafka": {"connection": {"bootstrap.servers": %q}, "static_topic": "%s.harm", "control_topic": "%[4]s.runs",
			"dead_topic": "%[4]s.dead", "raw": {"topic": "%[4]s.raw"}, "partitions": 3},
		"secrets": {"keys": [{"id": 1, "key": {"env": "FLEET_KEY"}}]},
		%s
	}`, f.users, f.devices, f.bootstrap, f.prefix, quick))
	f.environ = append(f.environ, "CONF_FILE="+f.path("c.json"), "FLEET_KEY="+strings.Repeat("ab", 32), "DATADIS_LOG_FORMAT=json", "DATADIS_LOG_LEVEL=info")
	return f
}

// projects configures the sources north and south, whose users overlap, and a
// harmonizer whose instance name, so whose group, is the test's.
func (f *fleet) projects() {
	f.Helper()
	rows, err := csv.NewReader(strings.NewReader(f.stage.users())).ReadAll()
	if err != nil {
		f.Fatal(err)
	}
	header, users := rows[0], rows[1:]
	north, south := users, users // the only user is in both
	switch half := len(users) / 2; {
	case len(users) == 2:
		north, south = users[:1], users[1:]
	case len(users) > 2:
		north, south = users[:half+1], users[half:]
	}
	f.wanted = make(map[string]map[string]bool)
	for name, own := range map[string][][]string{"north": north, "south": south} {
		var text bytes.Buffer
		if err := csv.NewWriter(&text).WriteAll(slices.Concat([][]string{header}, own)); err != nil {
			f.Fatal(err)
		}
		f.write("plugins/users_"+name+".csv", text.String())
		f.write("plugins/config_"+name+".json", fmt.Sprintf(`{"plugin": "file", "path": "users_%s.csv", "topic": "%s.%s"}`, name, f.prefix, name))
		f.wanted[name] = f.sees(own)
	}
	f.write("plugins/config_"+f.prefix+".json", fmt.Sprintf(`{"plugin": "parquet", "dir": %q}`, f.path("out")))
}

// sees lists the supplies that users see, as their own or as somebody's whom
// they act for.
func (f *fleet) sees(users [][]string) map[string]bool {
	seen := make(map[string]bool)
	for _, e := range f.simulator.Entitlements() {
		for _, user := range users {
			nifs, own := strings.Split(user[2], ";"), user[3] == "true" || user[3] == "" && user[2] == ""
			if user[0] == e.Username && (e.NIF == "" && own || e.NIF != "" && slices.Contains(nifs, e.NIF)) {
				seen[e.CUPS] = true
			}
		}
	}
	return seen
}

// member is a process of the fleet.
type member struct {
	*exec.Cmd
	t              *testing.T
	name           string
	stdout, stderr output
	ended          chan struct{}
}

// output collects what a process writes, to be read at any time.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a command as a process of its own.
func (f *fleet) start(args ...string) *member {
	f.Helper()
	return f.startWith(nil, args...)
}

// startWith starts a command with more in its environment.
func (f *fleet) startWith(environ []string, args ...string) *member {
	f.Helper()
	m := &member{t: f.T, name: strings.Join(args, " "), ended: make(chan struct{})}
	m.Cmd = engineProcess(f.T, "engine", slices.Concat(f.environ, environ), args...)
	m.Stdout, m.Stderr = &m.stdout, &m.stderr
	if err := m.Start(); err != nil {
		f.Fatal(err)
	}
	go func() {
		defer close(m.ended)
		_ = m.Wait() // the exit code is looked at by who waits
	}()
	f.Cleanup(func() {
		_ = m.Process.Kill() // it has ended, unless the test failed
		<-m.ended
		if f.Failed() {
			f.Logf("%s (exit code %d):\n%s%s", m.name, m.ProcessState.ExitCode(), m.stdout.String(), tail(m.stderr.String()))
		}
	})
	return m
}

// tail is the end of a long text.
func tail(text string) string {
	const most = 6000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// patience is how long a step of a fleet may take on a busy machine.
const patience = 3 * time.Minute

// finish waits for the end of a process, which must be a good one.
func (m *member) finish() {
	m.t.Helper()
	m.end(codeDone)
}

// end waits for the end of a process with a certain exit code.
func (m *member) end(code int) {
	m.t.Helper()
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.t.Fatalf("%s does not end", m.name)
	}
	if got := m.ProcessState.ExitCode(); got != code {
		m.t.Fatalf("%s ended with %d, want %d: %s", m.name, got, code, tail(m.stderr.String()))
	}
}

// terminate asks a process to stop, and waits for a good end.
func (m *member) terminate() {
	m.t.Helper()
	if err := m.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	m.finish()
}

// died waits for a process that kills itself.
func (m *member) died() {
	m.t.Helper()
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.t.Fatalf("%s does not reach its crash point", m.name)
	}
	if status, ok := m.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		m.t.Fatalf("%s ended otherwise than by SIGKILL: %v: %s", m.name, m.ProcessState, tail(m.stderr.String()))
	}
}

// kill ends a process as a crash does.
func (m *member) kill() {
	m.t.Helper()
	if err := m.Process.Kill(); err != nil {
		m.t.Fatal(err)
	}
	<-m.ended
}

// queue looks at a queue of the newest run, once there is one.
func (f *fleet) queue(kind queue.Kind) func() *queue.Queue {
	f.Helper()
	registry := runs.NewRegistry(f.client(f.users), time.Minute)
	client := f.client(map[queue.Kind]string{queue.Users: f.users, queue.Devices: f.devices}[kind])
	return func() *queue.Queue {
		id := "none"
		if recent, err := registry.Recent(f.Context(), 1); err == nil && len(recent) == 1 {
			id = recent[0].ID
		}
		return queue.New(client, kind, id, queue.Options{})
	}
}

// client connects to a Redis of the fleet.
func (f *fleet) client(url string) redis.UniversalClient {
	f.Helper()
	client, err := openRedis("", settings.NewURL(url))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = client.Close() })
	return client
}

// rows counts the readings in the harmonizer's files.
func (f *fleet) rows() int {
	f.Helper()
	rows := 0
	for source := range f.wanted {
		dir := filepath.Join(f.path("out"), source)
		if _, err := os.Stat(dir); err == nil {
			rows += len(truthtest.Output(f, dir).Values)
		}
	}
	return rows
}

// until waits for a condition.
func (f *fleet) until(what string, condition func() bool) {
	f.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			f.Fatalf("in vain waited for: %s", what)
		}
		if err := pause(f.Context(), 5*time.Millisecond); err != nil {
			f.Fatal(err)
		}
	}
}

// ends are the end offsets of topics, of this test's prefix.
func (f *fleet) ends(topics ...string) envelope.EndOffsets {
	f.Helper()
	c := kafka.Default()
	c.Connection = map[string]any{"bootstrap.servers": f.bootstrap}
	admin, err := kafka.NewAdmin(f.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	defer admin.Close()
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = f.prefix + "." + topic
	}
	ends, err := admin.EndOffsets(f.Context(), names)
	if err != nil {
		f.Fatal(err)
	}
	return ends
}

// records reads topics to their ends.
func (f *fleet) records(topics ...string) []truthtest.Record {
	f.Helper()
	return truthtest.Records(f, f.bootstrap, f.ends(topics...))
}

// finished reads the ends of runs from the control topic, by run.
func (f *fleet) finished() map[string][]envelope.Finished {
	f.Helper()
	ended := make(map[string][]envelope.Finished)
	for _, r := range f.records("runs") {
		if !strings.HasSuffix(r.Key, "/finished") {
			continue
		}
		var end envelope.Finished
		if err := json.Unmarshal(r.Value, &end); err != nil {
			f.Fatal(err)
		}
		ended[end.Run] = append(ended[end.Run], end)
	}
	return ended
}

// checkTopics compares the sources' topics with what Datadis has of the
// supplies that each is entitled to, and returns how many messages came again.
func (f *fleet) checkTopics() (repeats int) {
	f.Helper()
	published := truthtest.Time(f, f.records("north", "south"))
	for _, clash := range published.Clashes {
		f.Errorf("published again with other content: %s", clash)
	}
	for source, cups := range f.wanted {
		truth := f.truth(cups)
		if d := truthtest.Compare(published.BySource[source], truth); !d.None() || d.Right == 0 {
			f.Errorf("topic of %s: %s", source, d)
		}
	}
	return published.Repeats
}

// checkFiles compares the harmonizer's files with the same.
func (f *fleet) checkFiles() {
	f.Helper()
	for source, cups := range f.wanted {
		got := truthtest.Output(f, filepath.Join(f.path("out"), source))
		if d := truthtest.Compare(got, f.truth(cups)); !d.None() || d.Right == 0 {
			f.Errorf("files of %s: %s", source, d)
		}
	}
}

// truth is what Datadis has of some supplies.
func (f *fleet) truth(cups map[string]bool) truthtest.Readings {
	f.Helper()
	var text bytes.Buffer
	if err := f.simulator.WriteTruth(&text); err != nil {
		f.Fatal(err)
	}
	return truthtest.Truth(f, &text, func(r truthtest.Reading) bool {
		return cups[r.CUPS] && !strings.HasPrefix(r.Series, "Reactive")
	})
}

// checkEnd expects the only run to be finished, once, with end offsets that are
// true: nothing was published after it.
func (f *fleet) checkEnd() envelope.Finished {
	f.Helper()
	ended := f.finished()
	if len(ended) != 1 {
		f.Fatalf("%d runs ended: %+v", len(ended), ended)
	}
	var end envelope.Finished
	for run, ends := range ended {
		if len(ends) != 1 {
			f.Errorf("run %s ended %d times", run, len(ends))
		}
		end = ends[0]
	}
	for topic, partitions := range f.ends("north", "south", "harm") {
		for p, offset := range partitions {
			if end.EndOffsets[topic][p] != offset {
				f.Errorf("%s/%d ends at %d, and run.finished says %d", topic, p, offset, end.EndOffsets[topic][p])
			}
		}
	}
	return end
}

// harmonized waits until a harmonizer was told of the end of all runs.
func (f *fleet) harmonized() {
	f.Helper()
	ends := f.ends("runs")[f.prefix+".runs"]
	subscriber, err := kafka.NewSubscriber(f.Context(), f.kafkaConfig(), "datadis."+f.prefix, kafka.Handlers{}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	defer func() {
		if err := subscriber.Close(); err != nil {
			f.Error(err)
		}
	}()
	f.until("the harmonizer to be told of the end of all runs", func() bool {
		ctx, cancel := context.WithTimeout(f.Context(), 10*time.Second)
		defer cancel()
		committed, err := subscriber.Committed(ctx, []string{f.prefix + ".runs"})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			f.Fatal(err)
		}
		return committed[f.prefix+".runs"][0] == ends[0]
	})
}

func (f *fleet) kafkaConfig() kafka.Config {
	c := kafka.Default()
	c.Connection = map[string]any{"bootstrap.servers": f.bootstrap}
	return c
}
