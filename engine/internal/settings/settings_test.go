package settings

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite golden files and documents")

// aKey is 32 bytes in base64. It must never be seen in what people read.
const aKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// world is a folder with a configuration file, and an environment.
type world struct {
	dir     string
	environ []string
	flags   []Flag
}

func newWorld(t *testing.T, config string, environ ...string) world {
	t.Helper()
	w := world{dir: t.TempDir(), environ: environ}
	if config != "" {
		w.write(t, "config.json", config)
	}
	return w
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func (w world) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w world) load() (*Settings, []string, error) {
	o := Options{Environ: w.environ, Flags: w.flags, PluginsDir: "/opt/engine/plugins"}
	if _, err := os.Stat(w.path("config.json")); err == nil {
		o.File = w.path("config.json")
	}
	return Load(o)
}

func (w world) mustLoad(t *testing.T) *Settings {
	t.Helper()
	s, warnings, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Errorf("unexpected warnings: %q", warnings)
	}
	return s
}

// complete sets every setting to something that is not its default.
const complete = `{
  "$schema": "docs/config.schema.json",
  "datadis": {"base_url": "http://127.0.0.1:8099", "api": "v1", "timeout": "90s", "max_in_flight": 8,
              "max_in_flight_per_login": 1, "requests_per_second": 2.5, "months": 12,
              "series": ["PT1H", "reactive"], "repeat_after": "1h30m", "login_retry": "0s"},
  "redis":   {"users": {"url": "redis://engine:hunter2@host:6379/0"}, "devices": {"url": "rediss://host2:6379/0?password=hunter2"}},
  "kafka":   {"connection": {"bootstrap.servers": "host:9092", "sasl.password": "hunter2", "socket.timeout.ms": 5000, "enable.idempotence": true},
              "static_topic": "h", "control_topic": "c", "dead_topic": "d",
              "raw": {"enabled": false, "topic": "r"}, "partitions": 3, "replication": 2, "final_message": true},
  "plugins": {"paths": ["bin/plugins", "/opt/more"], "config_dir": "secrets", "lock": "lock.json", "locked": true,
              "limits": {"memory": "512MiB", "address_space": "4GiB", "open_files": 256, "cpus": 2, "nice": 5}},
  "run":     {"deadline": "10h", "lease": "30s", "workers": 4, "drain_timeout": "100s", "producer_silence": "5m", "keep": "48h", "now": "2026-03-01T06:00:00Z"},
  "secrets": {"keys": [{"id": 2, "key": "` + aKey + `"}, {"id": 1, "key": {"env": "OLD_KEY"}}]},
  "data_dir": "/var/lib/engine",
  "http":    {"listen": ":9090", "token": "hunter2-hunter2-hunter2", "open": "metrics"},
  "log":     {"level": "debug", "format": "json", "identifiers": "clear"},
  "traces":  {"endpoint": "https://collector:4318/v1/traces"}
}`

// Programs with OpenTelemetry have variables in common; what is set for the
// engine alone outweighs them.
func TestTracesByStandardVariables(t *testing.T) {
	t.Parallel()
	const base, own = "OTEL_EXPORTER_OTLP_ENDPOINT=http://a:4318/", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://b:4318/x"
	for _, c := range []struct {
		config  string
		environ []string
		want    string
	}{
		{"{}", nil, ""},
		{"{}", []string{base}, "http://a:4318/v1/traces"},
		{"{}", []string{base, own}, "http://b:4318/x"},
		{"{}", []string{base, own, "DATADIS_TRACES_ENDPOINT=http://c/y"}, "http://c/y"},
		{"{}", []string{base, "OTEL_TRACES_EXPORTER=none"}, ""},
		{"{}", []string{own, "OTEL_SDK_DISABLED=true"}, ""},
		{`{"traces": {"endpoint": "http://d/z"}}`, []string{base}, "http://d/z"},
	} {
		if got := newWorld(t, c.config, c.environ...).mustLoad(t).Traces.Endpoint; got != c.want {
			t.Errorf("%s %v: %q, want %q", c.config, c.environ, got, c.want)
		}
	}
}

const oldKey = "OLD_KEY=1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"

func TestDefaults(t *testing.T) {
	t.Parallel()
	golden(t, "defaults.json", maskedJSON(t, newWorld(t, "").mustLoad(t)))
}

func TestEverySettingIsReadFromTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, complete, oldKey)
	s := w.mustLoad(t)
	golden(t, "complete.json", strings.ReplaceAll(maskedJSON(t, s), w.dir, "DIR"))
	for _, v := range s.Variables() {
		if v.Origin == "" {
			t.Errorf("%s was not set by the file that sets everything", v.Key)
		}
	}
	if got := s.Redis.Users.URL.Reveal(); got != "redis://engine:hunter2@host:6379/0" {
		t.Errorf("users' address = %q", got)
	}
	if got := s.Kafka.Connection["socket.timeout.ms"]; got != "5000" {
		t.Errorf("a number became %q", got)
	}
	if got := s.HTTP.Token.Reveal(); got != "hunter2-hunter2-hunter2" {
		t.Errorf("http.token = %q", got)
	}
	if k := s.Secrets.Keys; k[0].ID != 2 || k[0].Bytes()[31] != 31 || k[1].ID != 1 || k[1].Bytes()[0] != 31 {
		t.Error("the keys came out otherwise than they were given")
	}
	if want := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC); !s.Run.Now.Equal(want) {
		t.Errorf("run.now = %v", s.Run.Now)
	}
}

func TestEnvironmentOutweighsFileAndFlagsBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, complete, oldKey,
		"DATADIS_DATADIS_BASE_URL=https://example.org",
		"DATADIS_DATADIS_MONTHS=6",
		"DATADIS_DATADIS_SERIES=PT15M, power",
		"DATADIS_KAFKA_RAW_ENABLED=true",
		"DATADIS_REDIS_USERS_URL=redis://other:6379",
		"DATADIS_DATA_DIR=here",
		"DATADIS_PLUGINS_PATHS=a,b",
		`DATADIS_SECRETS_KEYS=[{"id": 9, "key": {"env": "OLD_KEY"}}]`,
		"DATADIS_KAFKA_CONNECTION_BOOTSTRAP_SERVERS=env:9092",
		"DATADIS_KAFKA_CONNECTION_SSL_CA_LOCATION=/ca.pem",
		"DATADIS_LOG_LEVEL=warn",
		"DATADIS_LOG_FORMAT=",
	)
	w.flags = []Flag{{Name: "--log-level", Key: "log.level", Value: "error"}}
	s := w.mustLoad(t)
	got := fmt.Sprint(s.Datadis.BaseURL, s.Datadis.Months, s.Datadis.Series, s.Kafka.Raw.Enabled, s.Redis.Users.URL,
		s.DataDir, s.Plugins.Paths, s.Secrets.Keys[0].ID, s.Log.Level, s.Log.Format)
	if want := "https://example.org 6 [PT15M power] true redis://other:6379here [a b] 9 error json"; clean(got) != clean(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c := s.Kafka.Connection
	if c["bootstrap.servers"] != "env:9092" || c["ssl.ca.location"] != "/ca.pem" || c["socket.timeout.ms"] != "5000" {
		t.Errorf("the connection's properties were not merged: %v", c)
	}
	for key, want := range map[string]string{
		"log.level":      "--log-level",
		"datadis.months": "DATADIS_DATADIS_MONTHS",
		"datadis.api":    w.path("config.json") + ":3",
		"run.lease":      w.path("config.json") + ":12",
	} {
		if got := s.Origin(key); got != want {
			t.Errorf("origin of %s = %q, want %q", key, got, want)
		}
	}
}

// clean leaves out what fmt.Sprint does with spaces.
func clean(s string) string { return strings.ReplaceAll(s, " ", "") }

func TestConnectionAsOneVariable(t *testing.T) {
	t.Parallel()
	s := newWorld(t, "", `DATADIS_KAFKA_CONNECTION={"bootstrap.servers":"a:1","sasl.password":{"env":"PW"}}`, "PW=hunter2").mustLoad(t)
	if c := s.Kafka.Connection; c["bootstrap.servers"] != "a:1" || c["sasl.password"] != "hunter2" {
		t.Errorf("connection = %v", map[string]string(c))
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{
		"redis": {"users": {"url": {"file": "secrets/redis"}}},
		"kafka": {"connection": {"bootstrap.servers": "h:1", "sasl.password": {"file": "secrets/kafka"}}},
		"secrets": {"keys": [{"id": 1, "key": {"file": "secrets/key"}}]},
		"datadis": {"timeout": {"env": "PATIENCE"}}
	}`, "PATIENCE=20s")
	w.write(t, "secrets/redis", "redis://:hunter2@h:1\n")
	w.write(t, "secrets/kafka", "hunter3\r\n")
	w.write(t, "secrets/key", aKey)
	w.environ = append(w.environ, `DATADIS_REDIS_DEVICES_URL={"file": "`+w.path("secrets/redis")+`"}`)
	s := w.mustLoad(t)
	if s.Redis.Users.URL.Reveal() != "redis://:hunter2@h:1" || s.Redis.Devices.URL != s.Redis.Users.URL {
		t.Error("the addresses are not what the file holds")
	}
	if s.Kafka.Connection["sasl.password"] != "hunter3" {
		t.Error("the password is not what the file holds")
	}
	if len(s.Secrets.Keys) != 1 || s.Datadis.Timeout != 20*time.Second {
		t.Error("the key or the time-out was not resolved")
	}
}

func TestRelativePathsReferToTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"data_dir": "d", "plugins": {"paths": ["p", "/abs"], "lock": "../l.json"}}`, "DATADIS_PLUGINS_CONFIG_DIR=c")
	s := w.mustLoad(t)
	if s.DataDir != w.path("d") || s.Plugins.Paths[0] != w.path("p") || s.Plugins.Paths[1] != "/abs" || s.Plugins.Lock != w.path("../l.json") {
		t.Errorf("paths of the file: %s %s %s", s.DataDir, s.Plugins.Paths, s.Plugins.Lock)
	}
	if s.Plugins.ConfigDir != "c" {
		t.Errorf("a path of the environment became %s", s.Plugins.ConfigDir)
	}
}

func TestWhichFileIsRead(t *testing.T) { // not parallel: it changes the working directory
	w := newWorld(t, `{"data_dir": "default"}`)
	w.write(t, "conf.json", `{"data_dir": "conf"}`)
	w.write(t, "asked.json", `{"data_dir": "asked"}`)
	t.Chdir(w.dir)
	for _, c := range []struct {
		name, asked string
		environ     []string
		want        string
	}{
		{"the default one", "", nil, "default"},
		{"CONF_FILE", "", []string{"CONF_FILE=conf.json"}, "conf"},
		{"the one asked for", "asked.json", []string{"CONF_FILE=conf.json"}, "asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, err := Load(Options{File: c.asked, Environ: c.environ})
			if err != nil || s.DataDir != c.want {
				t.Errorf("data_dir = %v, %v; want %s", s, err, c.want)
			}
		})
	}
	_, _, err := Load(Options{Environ: []string{"CONF_FILE=none.json"}})
	want := "CONF_FILE: the configuration none.json cannot be read: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNearMissesAreWarnedAbout(t *testing.T) {
	t.Parallel()
	_, warnings, err := newWorld(t, "",
		"DATADIS_ENGINE_SERVICE_HOST=10.0.0.1", // Kubernetes injects these
		"DATADIS_ENGINE_SERVICE_PORT_HTTP=8080",
		"DATADIS_ENGINE_PORT=tcp://10.0.0.1:8080",
		"DATADIS_ENGINE_PORT_8080_TCP_ADDR=10.0.0.1",
		"DATADIS_KAFKA_CONNECTION_PORT=tcp://10.0.0.1:9092",
		"DATADIS_OF_SOMEBODY_ELSE=x",
		"DATADIS_BASE_URL=https://x",
		"DATADIS_REDIS_USER_URL=redis://x",
		"datadis_log_level=debug",
	).load()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DATADIS_BASE_URL: is no setting and was ignored; did you mean DATADIS_DATADIS_BASE_URL?",
		"DATADIS_REDIS_USER_URL: is no setting and was ignored; did you mean DATADIS_REDIS_USERS_URL?",
	}
	if got := strings.Join(warnings, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestVariablesAreUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, f := range new(Settings).fields() {
		name := EnvironmentName(f.key)
		if other, taken := seen[name]; taken {
			t.Errorf("%s sets both %s and %s", name, other, f.key)
		}
		seen[name] = f.key
		if !strings.HasSuffix(f.meaning, ".") {
			t.Errorf("the meaning of %s is no sentence: %q", f.key, f.meaning)
		}
	}
}

func TestLocalAndRequiredServers(t *testing.T) {
	t.Parallel()
	s := newWorld(t, "").mustLoad(t)
	if s.Local() != (Local{true, true, true}) || !s.Local().Any() {
		t.Errorf("nothing configured: %+v", s.Local())
	}
	golden(t, "required.txt", s.RequireServers().Error()+"\n")

	s = newWorld(t, complete, oldKey).mustLoad(t)
	if s.Local().Any() {
		t.Errorf("everything configured: %+v", s.Local())
	}
	if err := s.RequireServers(); err != nil {
		t.Error(err)
	}
}

func TestNothingPrintedShowsASecret(t *testing.T) {
	t.Parallel()
	s := newWorld(t, complete, oldKey).mustLoad(t)
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v", *s), fmt.Sprintf("%+v", *s), fmt.Sprintf("%#v", s.Redis), fmt.Sprintf("%#v", s.Secrets), string(asJSON), maskedJSON(t, s)} {
		for _, secret := range []string{"hunter2", aKey, oldKey[len("OLD_KEY="):]} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
}

func TestURLIsMasked(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                     "",
		"redis://h:1/0":        "redis://h:1/0",
		"redis://me:pw@h:1/0":  "redis://me:***@h:1/0",
		"redis://:pw@h:1":      "redis://:***@h:1",
		"redis://me:p@w/d@h:1": "redis://me:***@h:1",
		"redis://a:1,b:2/0?sentinel_password=pw&db=1": "redis://a:1,b:2/0?sentinel_password=***&db=1",
		"redis://a?p%61ssword=pw":                     "redis://a?p%61ssword=***",
		"redis://a?p%ZZ=pw":                           "redis://a?p%ZZ=***",
		"pw":                                          "***",
	} {
		if got := NewURL(address).String(); got != want {
			t.Errorf("%q is shown as %q, want %q", address, got, want)
		}
	}
}

func TestSecretPropertiesAreMasked(t *testing.T) {
	t.Parallel()
	c := Connection{}
	secret := []string{"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "sasl.jaas.config"}
	open := []string{"bootstrap.servers", "sasl.username", "ssl.ca.location", "ssl.key.location", "security.protocol"}
	for _, name := range append(secret, open...) {
		c[name] = "value"
	}
	shown := c.Masked()
	for _, name := range secret {
		if shown[name] != "***" {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range open {
		if shown[name] != "value" {
			t.Errorf("%s is hidden", name)
		}
	}
}

func TestProblemsCanBeTakenApart(t *testing.T) {
	t.Parallel()
	_, _, err := newWorld(t, "{\n\"datadis\": {\"api\": \"v3\"}}").load()
	var p *Problem
	if !errors.As(err, &p) || p.Key != "datadis.api" || !strings.HasSuffix(p.Where, "config.json:2") {
		t.Errorf("problem = %+v", p)
	}
}

func maskedJSON(t *testing.T, s *Settings) string {
	t.Helper()
	text, err := s.Masked()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// golden compares with testdata/name, which -update rewrites.
func golden(t *testing.T, name, got string) {
	t.Helper()
	compare(t, filepath.Join("testdata", name), got)
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current; `go test . -update` rewrites it. Got:\n%s", file, got)
	}
}
