package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

const someSecrets = `{
  "redis": {"users": {"url": "redis://engine:hunter2@127.0.0.1:1/0"}, "devices": {"url": {"env": "REDIS_B"}}},
  "kafka": {"connection": {"bootstrap.servers": "host:9092", "sasl.password": "hunter2"}},
  "secrets": {"keys": [{"id": 7, "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}]}
}`

func TestEffectiveConfiguration(t *testing.T) {
	t.Parallel()
	s := newShell(t, someSecrets)
	s.environ = append(s.environ, "REDIS_B=redis://:hunter2@b", "DATADIS_LOG_LEVEL=warn")
	want := s.engine(t, "doctor", "--config")
	if want.code != codeDone || want.stderr != "" || strings.Contains(want.stdout, "hunter2") || strings.Contains(want.stdout, "AAEC") {
		t.Fatalf("got %+v", want)
	}
	golden(t, "doctor-config.json", want.stdout)

	// Every way to name the file prints the same.
	file := filepath.Join(s.dir, "config.json")
	s.environ[0] = "CONF_FILE=/none"
	for _, typed := range [][]string{
		{"doctor", "--config", file},
		{"doctor", "--config=" + file},
		{"--config", file, "doctor", "--config"},
	} {
		if got := s.engine(t, typed...); got != want {
			t.Errorf("%q gives %+v", typed, got)
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	s := newShell(t, someSecrets)
	s.environ = append(s.environ, "REDIS_B=redis://:hunter2@b", "DATADIS_LOG_LEVEL=warn")
	got := s.engine(t, "doctor", "--env")
	if got.code != codeDone || strings.Contains(got.stdout, "hunter2") {
		t.Fatalf("got %+v", got)
	}
	golden(t, "doctor-env.txt", got.stdout)
}

func TestDoctorFindsWhatIsWrongWithTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newShell(t, "{\"datadis\": {\"api\": \"v3\"},\n\"run\": {\"workers\": 0}}")
	got := s.engine(t, "doctor", "--output", "json")
	if got.code != codeUsage || got.stderr != "" {
		t.Errorf("got %+v", got)
	}
	golden(t, "doctor-wrong.json", got.stdout)
}

func TestDoctorInLocalMode(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	s.environ = append(s.environ, "DATADIS_DATADIS_BASE_URL="+site(t, http.StatusOK, time.Now()), "DATADIS_DATA_DIR="+filepath.Join(s.dir, "not/yet"))
	got := s.engine(t, "doctor", "--output", "json")
	if got.code != codeDone || got.stderr != "" {
		t.Errorf("got %+v", got)
	}
	expect(t, got.stdout, map[string]state{
		"configuration": fine, "keys": fine, "data folder": fine, "redis users": skipped, "redis devices": skipped, "kafka": skipped, "plugins": doubt, "datadis": fine,
	})
	if _, err := os.Stat(filepath.Join(s.dir, "not")); err == nil {
		t.Error("the doctor made the data folder")
	}
}

func TestDoctorWithServers(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	redis.RequireAuth("hunter2")
	s := newShell(t, "")
	s.environ = append(s.environ,
		"DATADIS_REDIS_USERS_URL=redis://:hunter2@"+redis.Addr(),
		"DATADIS_REDIS_DEVICES_URL=redis://:hunter3@"+redis.Addr(),
		"DATADIS_KAFKA_CONNECTION_BOOTSTRAP_SERVERS="+closedPort(t),
		"DATADIS_DATADIS_BASE_URL="+site(t, http.StatusBadGateway, time.Now()),
	)
	got := s.engine(t, "doctor", "--output", "json")
	if got.code != codeFailed || strings.Contains(got.stdout, "hunter") {
		t.Errorf("got %+v", got)
	}
	expect(t, got.stdout, map[string]state{
		"configuration": fine, "keys": broken, "data folder": skipped, "redis devices": broken, "kafka": broken, "datadis": doubt,
	})
}

func TestDoctorLooksAtPlugins(t *testing.T) {
	t.Parallel()
	s := withPlugins(t)
	s.environ = append(s.environ, "DATADIS_DATADIS_BASE_URL="+site(t, http.StatusOK, time.Now()), "DATADIS_DATA_DIR="+s.dir)
	got := s.engine(t, "doctor", "--output", "json")
	if got.code != codeFailed || strings.Contains(got.stdout, "hunter2") {
		t.Errorf("got %+v", got)
	}
	expect(t, got.stdout, map[string]state{"configuration": fine, "plugins": broken, "datadis": fine})
	for _, want := range []string{
		`"instance actor of actor"`,
		`"instance north of actor: /path: is missing; /pth: is not known; known are path, token"`,
		`"instance south of nowhere: there is no datadis-plugin-nowhere in DIR/bin"`,
		`"correct DIR/secrets/config_north.json"`,
		`DIR/bin/datadis-plugin-page: no handshake`,
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("without %s", want)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "started")); err == nil {
		t.Error("a plugin with a manifest was started")
	}
}

func TestDoctorSeesAWrongClock(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	s.environ = append(s.environ, "DATADIS_DATADIS_BASE_URL="+site(t, http.StatusOK, time.Now().Add(-time.Hour)), "DATADIS_DATA_DIR="+s.dir)
	got := s.engine(t, "doctor")
	if got.code != codeDone || !strings.Contains(got.stdout, "this machine's clock differs by 1h0m") {
		t.Errorf("got %+v", got)
	}
}

func TestUnreadableAddressesShowNothing(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"redis://:hunter2/x@host:1", "redis://:hunter2@host:port", "redis://:hunter2@host/zero", "redis+ring://:hunter2@host",
		"redis+sentinel://:hunter2@host", "redis+cluster://:hunter2@host:x", "http://:hunter2@host", "redis://:hunter2@%zz",
	} {
		s := newShell(t, "")
		s.environ = append(s.environ, "DATADIS_REDIS_USERS_URL="+address, "DATADIS_DATADIS_BASE_URL="+site(t, http.StatusOK, time.Now()))
		got := s.engine(t, "doctor")
		if got.code != codeFailed || strings.Contains(got.stdout+got.stderr, "hunter2") || !strings.Contains(got.stdout, "is no address of a Redis") && !strings.Contains(got.stdout, "add ?master_name") {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// Files in an address are relative to the configuration, as all paths are.
func TestDoctorWithTLS(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	address, err := json.Marshal(redistest.TLS(t, a, false, url.Values{"tls_ca": {"ca.pem"}}))
	if err != nil {
		t.Fatal(err)
	}
	s := newShell(t, `{"redis": {"users": {"url": `+string(address)+`}}}`)
	ca, err := os.ReadFile(a.CA)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	s.environ = append(s.environ, "DATADIS_DATADIS_BASE_URL="+site(t, http.StatusOK, time.Now()), "DATADIS_DATA_DIR="+s.dir)
	expect(t, s.engine(t, "doctor", "--output", "json").stdout, map[string]state{"redis users": fine})
}

// Kafka's user and password may lie in a variable and a file; that they are
// refused is said in one sentence that shows neither.
func TestDoctorWithKafkaOverTLS(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	connection := kafkatest.Start(t, kafkatest.Secure(a, kafkatest.Scram)).Connection()
	user, password := connection["sasl.username"].(string), connection["sasl.password"].(string)
	connection["sasl.username"] = map[string]string{"env": "KAFKA_USER"}
	connection["sasl.password"] = map[string]string{"file": "kafka-password"}
	text, err := json.Marshal(map[string]any{"kafka": map[string]any{"connection": connection}})
	if err != nil {
		t.Fatal(err)
	}
	s := newShell(t, string(text))
	s.environ = append(s.environ, "KAFKA_USER="+user, "DATADIS_DATADIS_BASE_URL="+site(t, http.StatusOK, time.Now()), "DATADIS_DATA_DIR="+s.dir)
	for given, want := range map[string]state{password: fine, "hunter2": broken} {
		if err := os.WriteFile(filepath.Join(s.dir, "kafka-password"), []byte(given+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := s.engine(t, "doctor", "--output", "json", "--timeout", "30s")
		expect(t, got.stdout, map[string]state{"kafka": want})
		if strings.Contains(got.stdout+got.stderr, given) || want == broken && !strings.Contains(got.stdout, "correct sasl.username, sasl.password") {
			t.Errorf("got %+v", got)
		}
	}
}

// site answers every request with a status and the time.
func site(t *testing.T, status int, now time.Time) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// expect compares the worst state of each check; others may be there.
func expect(t *testing.T, text string, want map[string]state) {
	t.Helper()
	var findings []finding
	if err := json.Unmarshal([]byte(text), &findings); err != nil {
		t.Fatal(err)
	}
	got := map[string]finding{}
	for _, f := range findings {
		if got[f.Check].State != broken {
			got[f.Check] = f
		}
		if (f.State == broken || f.State == doubt && f.Check == "datadis") && f.Remedy == "" {
			t.Errorf("%s: nothing is said on how to mend it: %+v", f.Check, f)
		}
	}
	for name, state := range want {
		if got[name].State != state {
			t.Errorf("%s: %+v, want %s", name, got[name], state)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current; `go test . -update` rewrites it. Got:\n%s", file, got)
	}
}
