package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
)

// projects are three projects on one machine, with databases of their own: north
// in PostgreSQL, sime and cosmic in Neo4j.
type projects struct {
	*testing.T
	dir      string
	neo4j    *neo4jtest.Server
	postgres *postgrestest.Server
	database string // URL
}

// projectsNow is the time that is simulated; two months are asked for.
var projectsNow = time.Date(2025, time.November, 20, 10, 0, 0, 0, time.UTC)

const (
	projectsMonths = 2
	projectsSecret = "the projects' secret"
)

func newProjects(t *testing.T) *projects {
	t.Helper()
	p := &projects{T: t, dir: t.TempDir(), neo4j: neo4jtest.Shared(t), postgres: postgrestest.Start(t)}
	p.database = p.postgres.Database(t)
	for target, source := range map[string]string{
		"engine": "../../engine", "plugins/datadis-plugin-sime": ".", "plugins/datadis-plugin-cosmic": "../cosmic",
		"plugins/datadis-plugin-sql": "../sql", "plugins/datadis-plugin-timescale": "../timescale",
	} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", p.path("bin/"+target), source)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", target, err, out)
		}
	}
	p.simulate()
	return p
}

func (p *projects) path(name string) string { return filepath.Join(p.dir, name) }

// simulate starts a Datadis with four logins of two supplies each.
func (p *projects) simulate() {
	p.Helper()
	log := new(bytes.Buffer)
	simulator := exec.Command(p.path("bin/engine"), "simulate", "--seed", "2026", "--accounts", "4", "--supplies", "2",
		"--dir", p.path("simulator"), "--listen", "127.0.0.1:0", "--url-file", p.path("url"), "--api-latency", "none",
		"--now", projectsNow.Format(time.RFC3339), "--truth", p.path("truth.csv"), "--users-out", p.path("users.csv"))
	simulator.Stdout, simulator.Stderr = log, log
	if err := simulator.Start(); err != nil {
		p.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- simulator.Wait() }()
	p.Cleanup(func() {
		_ = simulator.Process.Kill() // it fails only if the process is gone
		<-ended
	})
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if info, err := os.Stat(p.path("url")); err == nil && info.Size() > 0 {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			p.Fatalf("the simulator ended: %v\n%s", err, log)
		case <-p.Context().Done():
			p.Fatal("the simulator did not start")
		case <-poll.C:
		}
	}
}

// csv reads a file without its header.
func (p *projects) csv(name string) [][]string {
	p.Helper()
	content, err := os.ReadFile(p.path(name))
	if err != nil {
		p.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil || len(rows) < 2 {
		p.Fatalf("%s has %d rows: %v", name, len(rows), err)
	}
	return rows[1:]
}

func (p *projects) write(name string, config map[string]any) {
	p.Helper()
	text, err := json.Marshal(config)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(p.path(name)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(p.path(name), text, 0o600)
	}
	if err != nil {
		p.Fatal(err)
	}
}

func (p *projects) encrypted(plain string) string {
	p.Helper()
	text, err := password.Encrypt(projectsSecret, plain)
	if err != nil {
		p.Fatal(err)
	}
	return text
}

// fill loads example users: the first two into north, the second and the third
// into sime, the third and the fourth into cosmic. So some are in two projects.
func (p *projects) fill(users [][]string) {
	p.Helper()
	db := postgrestest.Connect(p, p.database)
	if _, err := db.Exec(p.Context(), "CREATE TABLE datadis_users (username text, password text, nifs text[], self boolean)"); err != nil {
		p.Fatal(err)
	}
	list := func(cell string) []string { return strings.FieldsFunc(cell, func(r rune) bool { return r == ';' }) }
	for _, u := range users[:2] {
		if _, err := db.Exec(p.Context(), "INSERT INTO datadis_users VALUES ($1, $2, $3, nullif($4, '')::boolean)", u[0], p.encrypted(u[1]), list(u[2]), u[3]); err != nil {
			p.Fatal(err)
		}
	}
	for label, part := range map[string][][]string{"ProjectSime": users[1:3], "ProjectCosmic": users[2:4]} {
		for _, u := range part {
			p.neo4j.Query(p, "CREATE (n:`"+label+"`) SET n = $p", map[string]any{"p": map[string]any{
				"username": u[0], "Password": p.encrypted(u[1]), "authorized_nif": list(u[2]), "self": u[3] == "true" || u[2] == "",
			}})
		}
	}
}

// configure writes the projects' configurations. The mapping is the plugin's
// own, but for the base of its URIs and the label of sime's users: the server has
// other tests' graphs too.
func (p *projects) configure() {
	p.Helper()
	connection := map[string]any{"uri": p.neo4j.URI("bolt"), "username": neo4jtest.User, "password": neo4jtest.Password, "database": "neo4j"}
	text := strings.ReplaceAll(string(defaultMapping), "https://icaen.cat#", projectsBase)
	text = strings.ReplaceAll(text, "label: DatadisSource", "label: ProjectSime")
	p.write("config/config_sime.json", map[string]any{
		"neo4j": connection, "secret_password": projectsSecret, "label": "ProjectSime", "mapping": "mapping.yaml",
		"sources": []string{"sime", "cosmic", "north"},
	})
	if err := os.WriteFile(p.path("config/mapping.yaml"), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	p.write("config/config_cosmic.json", map[string]any{"neo4j": connection, "secret_password": projectsSecret, "label": "ProjectCosmic"})
	p.write("config/config_north.json", map[string]any{
		"plugin": "sql", "url": p.database, "secret_password": projectsSecret,
		"query": "SELECT username, password, nifs AS authorized_nifs, self FROM datadis_users ORDER BY username",
	})
	p.write("config/config_timescale.json", map[string]any{"url": p.database})
	address, err := os.ReadFile(p.path("url"))
	if err != nil {
		p.Fatal(err)
	}
	p.write("config.json", map[string]any{
		"datadis": map[string]any{"base_url": strings.TrimSpace(string(address)), "login_retry": "10ms"},
		"plugins": map[string]any{"paths": []string{"bin/plugins"}, "config_dir": "config"},
	})
}

const projectsBase = "https://projects.test#"

// published is what the engine says of a source.
type published struct {
	Supplies int64 `json:"supplies"`
	Readings int64 `json:"readings"`
}

// run runs the engine to its end.
func (p *projects) run() map[string]published {
	p.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(p.Context(), p.path("bin/engine"), "run", "--config", p.path("config.json"), "--output", "json",
		"--now", projectsNow.Format(time.RFC3339), "--from", (sdk.MonthOf(projectsNow) - projectsMonths + 1).String())
	cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, p.dir
	if err := cmd.Run(); err != nil {
		p.Fatalf("engine run: %v\n%s", err, stderr.String())
	}
	var summary struct {
		Outcome string `json:"outcome"`
		Sources []struct {
			Source string `json:"source"`
			published
		} `json:"sources"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &summary); err != nil {
		p.Fatalf("%v\n%s", err, stdout.String())
	}
	if summary.Outcome != "complete" {
		p.Errorf("the run is %s\n%s", summary.Outcome, stderr.String())
	}
	for _, u := range p.csv("users.csv") {
		if strings.Contains(stdout.String()+stderr.String(), u[1]) {
			p.Error("a password is in the engine's output")
		}
	}
	all := map[string]published{}
	for _, source := range summary.Sources {
		all[source.Source] = source.published
	}
	return all
}

// rows counts the rows of a source in the table of readings.
func (p *projects) rows(source string) (count int64) {
	p.Helper()
	err := postgrestest.Connect(p, p.database).QueryRow(p.Context(), "SELECT count(*) FROM datadis.readings WHERE source = $1", source).Scan(&count)
	if err != nil {
		p.Fatal(err)
	}
	return count
}

// graph is all that the projects have in Neo4j, nodes and relations.
func (p *projects) graph() string {
	p.Helper()
	var lines []string
	for _, query := range []string{
		"MATCH (n) WHERE n.uri STARTS WITH $base OR n.device STARTS WITH $base RETURN coalesce(n.uri, n.id) AS a, toString(labels(n)) AS b, properties(n) AS c",
		"MATCH (n)-[r]->(m) WHERE n.uri STARTS WITH $base RETURN n.uri AS a, type(r) AS b, [coalesce(m.uri, m.username), properties(r)] AS c",
	} {
		query = strings.ReplaceAll(query, "toString(labels(n))", "reduce(t = '', l IN labels(n) | t + l + ' ')")
		for _, r := range p.neo4j.Query(p, query, map[string]any{"base": projectsBase}) {
			lines = append(lines, fmt.Sprintf("%v %v %v", r["a"], r["b"], r["c"]))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestProjects is what make demo-projects shows: from empty databases to models
// that agree with what Datadis has, and with themselves when run again.
func TestProjects(t *testing.T) {
	t.Parallel()
	p := newProjects(t)
	p.fill(p.csv("users.csv"))
	p.configure()
	first := p.run()
	if got := slices.Sorted(maps.Keys(first)); !slices.Equal(got, []string{"cosmic", "north", "sime"}) {
		t.Fatalf("the sources are %v", got)
	}
	supplies := map[string]bool{}
	for _, r := range p.csv("truth.csv") {
		supplies[r[0]] = true
	}
	devices := p.neo4j.Query(t, "MATCH (n:bigg__Device) WHERE n.uri STARTS WITH $base RETURN n.bigg__deviceName AS cups", map[string]any{"base": projectsBase})
	t.Logf("supplies in Datadis: %d, devices in Neo4j: %d", len(supplies), len(devices))
	for _, d := range devices {
		delete(supplies, d["cups"].(string))
	}
	if len(devices) == 0 || len(supplies) > 0 {
		t.Errorf("supplies without a device: %v", slices.Sorted(maps.Keys(supplies)))
	}
	for _, source := range slices.Sorted(maps.Keys(first)) {
		rows := p.rows(source)
		t.Logf("%s: %d supplies; readings published: %d, rows in the table: %d", source, first[source].Supplies, first[source].Readings, rows)
		if rows != first[source].Readings || rows == 0 {
			t.Errorf("%s: %d readings were published, and %d rows are there", source, first[source].Readings, rows)
		}
	}
	before := p.graph()
	for source, published := range p.run() {
		if published.Readings != 0 {
			t.Errorf("%s: the second run published %d readings", source, published.Readings)
		}
	}
	after := p.graph()
	t.Logf("nodes and relations after the first run: %d, after the second: %d", strings.Count(before, "\n")+1, strings.Count(after, "\n")+1)
	if before != after {
		t.Error("the second run changed the graph")
	}
}
