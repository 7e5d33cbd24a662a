package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// asPlugin has the test's own binary be the plugin.
const asPlugin = "SIME_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(neo4jtest.Run(m))
}

var worlds atomic.Int32

// world is a part of the graph that is a test's own: its URIs, its users and
// its instance have names that no other test has.
type world struct {
	testing.TB
	server *neo4jtest.Server
	in     sdk.Instance
	config Config
	base   string // of its URIs
	owner  string // a user that no other test has
	h      *harmonizer
	log    *bytes.Buffer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	server := neo4jtest.Shared(t)
	n := worlds.Add(1)
	w := &world{TB: t, server: server, base: fmt.Sprintf("https://w%d.test#", n), owner: fmt.Sprintf("OWNER%dX", n), log: new(bytes.Buffer)}
	w.in = sdk.Instance{Name: fmt.Sprintf("sime%d", n), Dir: t.TempDir()}
	w.config = Config{
		SourceConfig: neo4j.SourceConfig{
			Neo4j:          neo4j.Config{URI: server.URI("bolt"), Username: neo4jtest.User, Password: sdk.NewSecret(neo4jtest.Password), Database: "neo4j"},
			SecretPassword: sdk.NewSecret("a made-up secret"), Label: fmt.Sprintf("DatadisSource%d", n),
		},
		Sources: []string{"north"}, Mapping: "mapping.yaml", PointsTopic: "points",
	}
	text := strings.ReplaceAll(string(defaultMapping), "https://icaen.cat#", w.base)
	text = strings.ReplaceAll(text, "label: DatadisSource", "label: "+w.config.Label)
	if err := os.WriteFile(filepath.Join(w.in.Dir, "mapping.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if problems := w.config.Check(w.in); len(problems) > 0 {
		t.Fatal(problems)
	}
	w.restart()
	t.Cleanup(func() { _ = w.h.Close() }) // the test is over
	return w
}

// restart is what happens when the plugin's process is started again.
func (w *world) restart() {
	w.Helper()
	log := slog.New(slog.NewTextHandler(w.log, nil))
	h, err := newHarmonizer(w.in, w.config, func(context.Context) *slog.Logger { return log })
	if err != nil {
		w.Fatal(err)
	}
	if w.h != nil {
		if err := w.h.Close(); err != nil {
			w.Fatal(err)
		}
	}
	w.h = h
}

// query runs a statement on the graph.
func (w *world) query(query string, params map[string]any) []map[string]any {
	w.Helper()
	return w.server.Query(w, query, params)
}

// user makes the node of a user.
func (w *world) user(username string, properties map[string]any) {
	w.Helper()
	w.query(fmt.Sprintf("CREATE (n:`%s`) SET n = $p, n.username = $u", w.config.Label), map[string]any{"p": properties, "u": username})
}

// building makes an organisation with a generic building, or another one.
func (w *world) building(owner, id string, generic bool) {
	w.Helper()
	flag := 0
	if generic {
		flag = 1
	}
	w.query(`MERGE (o:bigg__Organization {bigg__organizationIDFromOrganization: $owner})
		CREATE (o)-[:bigg__hasSubOrganization]->(:bigg__Organization {generic: $generic})-[:bigg__managesBuilding]->
		(b:bigg__Building {bigg__buildingIDFromOrganization: $id})-[:bigg__hasSpace]->(:Resource {uri: $space})`,
		map[string]any{"owner": owner, "id": id, "generic": flag, "space": w.base + "BUILDINGSPACE-" + id})
}

// day is 03:00 UTC of a day of November 2026.
func day(n int) time.Time { return time.Date(2026, 11, n, 3, 0, 0, 0, time.UTC) }

// supply is a supply as the engine hands it over, of Datadis's own fields.
func supply(username, nif string, fetched time.Time, fields map[string]any) sdk.Supply {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	text := func(name string) string { s, _ := fields[name].(string); return s }
	s := sdk.Supply{
		Run: "run", Sources: []string{"north"}, Username: sdk.NIF(username), AuthorizedNIF: sdk.NIF(nif),
		CUPS: sdk.CUPS(text("cups")), PostalCode: text("postalCode"), Province: text("province"), ProvinceCode: text("provinceCode"),
		Municipality: text("municipality"), MunicipalityCode: text("municipioCode"), FetchedAt: fetched, Raw: raw,
	}
	if to := text("validDateTo"); to != "" {
		s.ValidTo, _ = time.ParseInLocation("2006/01/02", to, sdk.Madrid)
	}
	return s
}

const cups = "ES0031000000000001BJ0F"

// owners is a dateOwner list of pairs.
func owners(dates ...string) []map[string]any {
	var list []map[string]any
	for i := 0; i < len(dates); i += 2 {
		list = append(list, map[string]any{"startDate": dates[i], "endDate": dates[i+1]})
	}
	return list
}

// full are the fields of a supply and its contract, but for those given.
func full(change map[string]any) map[string]any {
	fields := map[string]any{
		"cups": cups, "address": "CALLE EJEMPLO 1", "postalCode": "08001", "province": "Barcelona", "provinceCode": "08",
		"municipality": "BARCELONA", "municipioCode": "019", "distributor": "EDISTRIBUCIÓN", "distributorCode": "2",
		"validDateFrom": "2024/02/01", "validDateTo": "", "pointType": 5,
		"marketer": "COMERCIALIZADORA UNO, S.L.", "tension": "Baja tensión", "accessFare": "2.0TD PEAJE ATR",
		"contractedPowerkW": []json.Number{"3.45", "4.6"}, "timeDiscrimination": "TARIFA DE TRES PERIODOS", "modePowerControl": "ICP",
		"startDate": "2024/02/01", "endDate": "", "codeFare": "2T",
		"selfConsumptionTypeCode": nil, "selfConsumptionTypeDesc": nil, "cau": nil, "installedCapacity": nil, "partitionCoefficient": nil,
		"dateOwner": owners("2019-04-01", ""), "lastMarketerDate": "2024/02/01", "maxPowerInstall": "5.5",
		"contracts": []any{map[string]any{"a": 1}}, "measurements": []any{}, "nif": "B00000000",
	}
	for name, value := range change {
		fields[name] = value
	}
	return fields
}

// harmonize hands supplies over as a batch of a run.
func (w *world) harmonize(run string, supplies ...sdk.Supply) {
	w.Helper()
	result, err := w.h.HarmonizeSupplies(w.Context(), sdk.Batch[sdk.Supply]{Run: run, ID: "batch", Items: supplies})
	if err != nil {
		w.Fatal(err)
	}
	if len(result.Items) > 0 || len(result.Records) > 0 {
		w.Fatalf("got %+v", result)
	}
}

// end tells the plugin, started anew, of the end of a run.
func (w *world) end(run string, started time.Time, outcome sdk.Outcome, failed ...sdk.FailedGrant) {
	w.Helper()
	w.restart()
	for range 2 { // it may come twice
		_, err := w.h.EndRun(w.Context(), sdk.RunEnd{
			Run: sdk.Run{ID: run, Policy: "last", Started: started, Sources: []string{"north"}}, Outcome: outcome,
			Finished: started.Add(time.Hour), FailedGrants: failed,
		})
		if err != nil {
			w.Fatal(err)
		}
	}
}

// graph is the world's part of the graph as text: nodes by URI with their
// labels, properties and relations, and sightings. What differs from world to
// world is replaced: base, users, and the hashes of URIs.
func (w *world) graph() string {
	w.Helper()
	var blocks []string
	for _, n := range w.query(`MATCH (n:Resource) WHERE n.uri STARTS WITH $base
		OPTIONAL MATCH (n)-[r]->(m)
		RETURN n.uri AS uri, labels(n) AS labels, properties(n) AS properties,
		       collect(CASE WHEN r IS NULL THEN null ELSE [type(r), coalesce(m.uri, labels(m)[0] + ' ' + m.username), properties(r)] END) AS relations`,
		map[string]any{"base": w.base}) {
		labels := n["labels"].([]any)
		slices.SortFunc(labels, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		properties := n["properties"].(map[string]any)
		delete(properties, "uri")
		var relations []string
		for _, r := range n["relations"].([]any) {
			relation := r.([]any)
			relations = append(relations, fmt.Sprintf("  -[%s]-> %s\n%s", relation[0], relation[1], listed("       ", relation[2].(map[string]any))))
		}
		slices.Sort(relations)
		blocks = append(blocks, fmt.Sprintf("%s %v\n%s%s", n["uri"], labels, listed("  ", properties), strings.Join(relations, "")))
	}
	for _, s := range w.query(`MATCH (s:DatadisSighting {instance: $i})
		RETURN s {.username, .nif, .run, .seen, .start, .end} AS p, s.device AS device`, map[string]any{"i": w.in.Name}) {
		blocks = append(blocks, fmt.Sprintf("sighting of %s\n%s", s["device"], listed("  ", s["p"].(map[string]any))))
	}
	pairs := []string{w.base, "icaen:", w.config.Label + " ", "DatadisSource ", w.owner, "OWNER"}
	for _, m := range w.query(`MATCH (s:bigg__Sensor)-[:bigg__hasMeasurement]->(m) WHERE s.uri STARTS WITH $base
		RETURN s.uri AS sensor`, map[string]any{"base": w.base}) {
		uri := m["sensor"].(string)
		sum := sha256.Sum256([]byte(uri))
		pairs = append(pairs, hex.EncodeToString(sum[:]), "SHA256("+strings.TrimPrefix(uri, w.base)+")")
	}
	masks := strings.NewReplacer(pairs...)
	for i := range blocks {
		blocks[i] = masks.Replace(blocks[i])
	}
	slices.Sort(blocks)
	return strings.Join(blocks, "")
}

// listed shows properties with their types, in order.
func listed(indent string, properties map[string]any) string {
	var out strings.Builder
	names := make([]string, 0, len(properties))
	for name, value := range properties {
		if value != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		switch v := properties[name].(type) {
		case string:
			fmt.Fprintf(&out, "%s%s = %q\n", indent, name, v)
		case dbtype.LocalDateTime:
			fmt.Fprintf(&out, "%s%s = local %s\n", indent, name, v.Time().Format("2006-01-02T15:04:05"))
		case time.Time:
			fmt.Fprintf(&out, "%s%s = instant %s\n", indent, name, v.UTC().Format(time.RFC3339))
		default:
			fmt.Fprintf(&out, "%s%s = %v\n", indent, name, v)
		}
	}
	return out.String()
}

// golden compares the graph with a golden file.
func (w *world) golden(name string) {
	w.Helper()
	got := w.graph()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			w.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	if got != string(want) {
		w.Errorf("%s: the graph is\n%s\nwant\n%s", name, got, want)
	}
}
