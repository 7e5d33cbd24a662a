package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// cage is a fleet in which every field that can hold a secret holds one that is
// looked for everywhere afterwards.
type cage struct {
	*fleet
	redis   *redistest.Server
	kafka   *kafkatest.Server
	secrets map[string][]string // what it is → the forms that it may show in
	seen    map[string]string   // what was looked at besides files: where → text
}

// The secrets are of all kinds of characters, and none is a part of another one.
var canaries = map[string]string{
	"password in CSV":          "canary-Aé1&%",
	"password in JSON":         `canary "two", <x>`,
	"refused password":         "canary=three+/",
	"password of the database": "canary:four@/?#",
	"password of the graph":    "canary five\\n",
	"secret of the passwords":  "canary-six-ñandú",
	"token of HTTP":            "canary-seven-0123456789abcdef",
}

func newCage(t *testing.T) *cage {
	t.Helper()
	c := &cage{redis: redistest.Start(t), secrets: make(map[string][]string), seen: make(map[string]string)}
	c.kafka = kafkatest.Start(t, kafkatest.Secure(certtest.New(t), kafkatest.Plain))
	since := time.Now().AddDate(0, -4, 0).Format("2006-01") + "-01"
	world := &simulator.World{
		Logins: []simulator.Login{{Username: "12345678Z", Password: canaries["password in CSV"]}, {Username: "00000000T", Password: canaries["password in JSON"]}},
		Supplies: []simulator.Supply{
			{CUPS: "ES0031000000000001BJ0F", Holders: []string{"12345678Z"}, Distributor: "2", PointType: 5, From: since},
			{CUPS: "ES0021000000000001RK", Holders: []string{"00000000T"}, Distributor: "8", PointType: 5, From: since},
		},
	}
	faults := []simulator.Rule{{Match: simulator.Match{Nth: simulator.Range{From: 1, To: 1}, Probability: 0.3}, Fault: simulator.Fault{Kind: simulator.Kind{"500", "502", "html200", "cut"}}}}
	inside := fmt.Sprint(c.kafka.Inside()["bootstrap.servers"])
	c.fleet = newFleetOn(t, simulator.Config{Seed: 33, World: world, Faults: faults, RepeatAfter: repeatSoon}, c.redis.URL(), c.redis.URL(), inside)
	for what, secret := range canaries {
		c.secrets[what] = forms(secret)
	}
	c.secrets["password of Redis and Kafka"] = forms(c.redis.Password())
	for id := range 2 {
		key := strings.Repeat(fmt.Sprintf("canary%d-", id), 4)
		c.secrets[fmt.Sprintf("key %d", id)] = slices.Concat(forms(key), forms(base64.StdEncoding.EncodeToString([]byte(key))))
		c.write(fmt.Sprintf("kept/key%d", id), base64.StdEncoding.EncodeToString([]byte(key)))
	}
	c.configure()
	c.plug()
	return c
}

// configure writes a configuration whose secrets are in files.
func (c *cage) configure() {
	c.Helper()
	connection := c.kafka.Connection()
	c.write("kept/redis", c.redis.URL())
	c.write("kept/kafka", fmt.Sprint(connection["sasl.password"]))
	c.write("kept/token", canaries["token of HTTP"])
	connection["sasl.password"] = map[string]any{"file": "kept/kafka"}
	text, err := json.Marshal(connection)
	if err != nil {
		c.Fatal(err)
	}
	c.write("c.json", fmt.Sprintf(`{
		"redis": {"users": {"url": {"file": "kept/redis"}}, "devices": {"url": {"file": "kept/redis"}}},
		"kafka": {"connection": %s, "static_topic": "%s.harm", "control_topic": "%[2]s.runs",
			"dead_topic": "%[2]s.dead", "raw": {"topic": "%[2]s.raw"}, "partitions": 3},
		"secrets": {"keys": [{"id": 2, "key": {"file": "kept/key1"}}, {"id": 1, "key": {"file": "kept/key0"}}]},
		"http": {"token": {"file": "kept/token"}},
		%s
	}`, text, c.prefix, quick))
	c.environ = append(c.environ, "DATADIS_LOG_LEVEL=debug", "DATADIS_HTTP_LISTEN=127.0.0.1:0", "DATADIS_DATADIS_SERIES=PT1H,power", "DATADIS_DATADIS_REPEAT_AFTER="+repeatSoon.String())
}

// plug adds a user whom Datadis refuses, and sources whose databases are not
// there: their secrets are in the configurations of plugins.
func (c *cage) plug() {
	c.Helper()
	dir := c.path("more")
	for _, name := range []string{"sql", "cosmic"} {
		build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "datadis-plugin-"+name), "../plugins/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			c.Fatal(&buildError{name, string(out), err})
		}
	}
	shipped, err := pluginsDir()
	if err != nil {
		c.Fatal(err)
	}
	c.environ = append(c.environ, "DATADIS_PLUGINS_PATHS="+shipped+","+dir)
	quoted := func(what string) string { text, _ := json.Marshal(canaries[what]); return string(text) }
	north, err := os.ReadFile(c.path("plugins/users_north.csv"))
	if err != nil {
		c.Fatal(err)
	}
	c.write("plugins/users_north.csv", string(north)+"X1234567L,"+canaries["refused password"]+",,true,\n")
	c.write("plugins/users_south.json", `[{"username": "00000000T", "password": `+quoted("password in JSON")+`}]`)
	c.write("plugins/config_south.json", fmt.Sprintf(`{"plugin": "file", "path": "users_south.json", "topic": "%s.south"}`, c.prefix))
	c.write("plugins/config_east.json", fmt.Sprintf(`{"plugin": "sql", "url": "postgres://reader@%s/project", "password": %s, "query": "SELECT 1", "secret_password": %s}`,
		closedPort(c.T), quoted("password of the database"), quoted("secret of the passwords")))
	c.write("plugins/config_west.json", fmt.Sprintf(`{"plugin": "cosmic", "neo4j": {"uri": "bolt://%s", "username": "neo4j", "password": %s}, "secret_password": %s}`,
		closedPort(c.T), quoted("password of the graph"), quoted("secret of the passwords")))
}

// Invariant 16: no secret is anywhere but in the files that it was given in,
// after processes were killed and crashed, plugins fell, databases were not
// there, and Datadis failed, with everything logged.
func TestFleetLeaksNoSecret(t *testing.T) {
	t.Parallel()
	c := newCage(t)
	harmonizer := c.start("harmonizer")
	c.startWith([]string{"ENGINE_TEST_CRASH=" + string(crash.AccountQueued)}, "producer", "--policy", "repair").died()
	producer := c.start("producer", "--policy", "repair")
	<-producer.ended // two of its sources fail
	c.startWith([]string{"ENGINE_TEST_CRASH=" + string(crash.Answered) + ":2"}, "consumer", "--workers", "1").died()
	c.fall(harmonizer, "datadis-plugin-parquet")
	consumer := c.start("consumer")
	c.visit("consumer", consumer)
	c.until("the run to be finished", func() bool { return len(c.finished()) == 1 })
	c.visit("consumer at the end", consumer)
	c.harmonized()
	c.visit("harmonizer", harmonizer)
	plugins := strings.Join(c.processes(harmonizer.Process.Pid), "\n")
	c.look("plugins of the harmonizer", plugins)
	if !strings.Contains(plugins, "datadis-plugin-parquet") || !strings.Contains(plugins, "PLUGIN_CLIENT_CERT=") {
		t.Error("the plugin's process was not seen")
	}
	c.checkTopics()
	for _, m := range []*member{consumer, harmonizer} { // they print all goroutines
		if err := m.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		<-m.ended
	}
	for _, args := range [][]string{{"doctor"}, {"doctor", "--config"}, {"doctor", "--env"}, {"status", "--output", "json"},
		{"dead", "list"}, {"plugins", "list"}, {"plugins", "validate", "--deep"}, {"plugins", "logs", "east"}, {"plugins", "logs", "west"}, {"secret", "rotate"}} {
		m := c.start(args...)
		<-m.ended
		c.look(m.name, m.stdout.String()+m.stderr.String())
	}
	for _, m := range []*member{harmonizer, producer, consumer} {
		c.look("output of "+m.name, m.stdout.String()+m.stderr.String())
	}
	if !strings.Contains(consumer.stderr.String(), `"level":"DEBUG"`) || !strings.Contains(consumer.stderr.String(), "goroutine ") {
		t.Error("the consumer logged too little, or did not print its goroutines")
	}
	c.readTopics()
	c.search()
}

// look remembers what is to be searched.
func (c *cage) look(where, text string) {
	c.Helper()
	if text == "" {
		c.Errorf("nothing was seen: %s", where)
	}
	c.seen[where] += text
}

// processes are the command lines and environments of a process's children, and
// of theirs.
func (c *cage) processes(parent int) []string {
	c.Helper()
	var texts []string
	for _, child := range children(parent) {
		dir := fmt.Sprintf("/proc/%d/", child)
		line, errLine := os.ReadFile(dir + "cmdline")
		environ, errEnviron := os.ReadFile(dir + "environ")
		if errLine == nil && errEnviron == nil {
			texts = append(texts, string(line)+"\x00"+string(environ))
		}
		texts = append(texts, c.processes(child)...)
	}
	return texts
}

// children are the processes that a process started.
func children(parent int) []int {
	var all []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // a thread that ended has none
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// fall kills a plugin of a process, so that its fall is reported.
func (c *cage) fall(m *member, name string) {
	c.Helper()
	c.until(name+" to run", func() bool {
		return slices.ContainsFunc(children(m.Process.Pid), func(pid int) bool {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return err == nil && strings.Contains(string(line), name) && syscall.Kill(pid, syscall.SIGKILL) == nil
		})
	})
}

var served = regexp.MustCompile(`"address":"(http://[^"]+)/"`)

// visit reads all that a process serves, with the token, and without.
func (c *cage) visit(who string, m *member) {
	c.Helper()
	c.until(who+" to serve", func() bool { return served.MatchString(m.stderr.String()) })
	address := served.FindStringSubmatch(m.stderr.String())[1]
	for _, path := range []string{"/", "/accounts", "/coverage", "/dead", "/livez", "/readyz", "/metrics",
		"/api/v1/status", "/api/v1/accounts", "/api/v1/coverage", "/api/v1/dead", "/api/v1/plugins", "/nowhere?x=<b>"} {
		for _, token := range []string{canaries["token of HTTP"], "wrong"} {
			request, err := http.NewRequestWithContext(c.Context(), http.MethodGet, address+path, nil)
			if err != nil {
				c.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				c.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				c.Fatal(err)
			}
			c.look(who+" "+path, fmt.Sprint(response.Header, string(body)))
		}
	}
}

// readTopics reads all messages as they were before they were compressed, and
// plants one.
func (c *cage) readTopics() {
	c.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		c.Fatal(err)
	}
	defer client.Close()
	planted := &kgo.Record{Topic: c.prefix + ".dead", Value: []byte(`{"planted": "` + canaries["refused password"] + `"}`)}
	if err := client.ProduceSync(c.Context(), planted).FirstErr(); err != nil {
		c.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		c.Fatal(err)
	}
	defer decoder.Close()
	for _, topic := range []string{"north", "south", "harm", "runs", "raw", "dead"} {
		for _, r := range c.records(topic) {
			value := r.Value
			if topic == "raw" && len(value) > 0 {
				if value, err = decoder.DecodeAll(value, nil); err != nil {
					c.Fatal(err)
				}
			}
			c.look("topic "+topic, fmt.Sprintln(r.Key, r.Headers, string(value)))
		}
	}
	if !strings.Contains(c.seen["topic raw"], "measureMagnitudeActive") && !strings.Contains(c.seen["topic raw"], "consumptionKWh") {
		c.Error("the raw copies cannot be read")
	}
}

// search looks for every secret in everything, and expects them only where they
// were given, and where they are planted.
func (c *cage) search() {
	c.Helper()
	admin := c.redis.Backend().Admin(c.T, 0)
	if err := admin.Set(c.Context(), "planted", canaries["password in CSV"], 0).Err(); err != nil {
		c.Fatal(err)
	}
	if err := admin.Save(c.Context()).Err(); err != nil {
		c.Fatal(err)
	}
	for what, all := range c.secrets {
		for i, form := range all {
			c.write(fmt.Sprintf("planted/%s %d", what, i), "x"+form+"y")
		}
	}
	found := make(map[string][]string)
	read := 0
	for name, dir := range map[string]string{"": c.dir, "redis/": c.redis.Dir(), "kafka/": c.kafka.Data()} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(path, c.path("more")) {
				return err
			}
			text, err := os.ReadFile(path)
			read++
			c.find(found, name+strings.TrimPrefix(path, dir+"/"), string(text))
			return err
		})
		if err != nil {
			c.Fatal(err)
		}
	}
	for where, text := range c.seen {
		c.find(found, "seen: "+where, text)
	}
	c.Logf("searched %d files and %d other places for %d secrets", read, len(c.seen), len(c.secrets))
	c.judge(found)
}

func (c *cage) find(found map[string][]string, where, text string) {
	for what, all := range c.secrets {
		if shows(text, all) {
			found[where] = append(found[where], what)
		}
	}
}

// judge compares where secrets were found with where they should be.
func (c *cage) judge(found map[string][]string) {
	c.Helper()
	given := regexp.MustCompile(`^(kept/.*|plugins/users_(north.csv|south.json|south.csv)|plugins/config_(east|west).json)$`)
	plantedToo := regexp.MustCompile(`^(redis/dump.rdb|redis/appendonlydir/.*\.incr\.aof|redis/appendonly.aof|kafka/t[0-9]+\.dead-.*|seen: topic dead)$`)
	for _, where := range slices.Sorted(maps.Keys(found)) {
		planted := plantedToo.MatchString(where) && len(found[where]) == 1 &&
			slices.Contains([]string{"password in CSV", "refused password"}, found[where][0])
		if !planted && !given.MatchString(where) && !strings.HasPrefix(where, "planted/") {
			c.Errorf("%s holds: %s", where, strings.Join(found[where], ", "))
		}
	}
	for what, all := range c.secrets {
		for i := range all {
			if where := fmt.Sprintf("planted/%s %d", what, i); !slices.Contains(found[where], what) {
				c.Errorf("what was planted is not found: %s", where)
			}
		}
	}
	for _, where := range []string{"redis/dump.rdb", "seen: topic dead", "kept/redis", "kept/key0", "plugins/config_west.json"} {
		if len(found[where]) == 0 {
			c.Errorf("what is there is not found: %s", where)
		}
	}
}
