package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/sdk"
)

// someKey is a key of an id, the same each time.
func someKey(id int) string {
	return fmt.Sprintf(`{"id": %d, "key": %q}`, id, strings.Repeat(fmt.Sprintf("%x%x", id, id+1), 32))
}

func keysAre(ids ...int) string {
	var keys []string
	for _, id := range ids {
		keys = append(keys, someKey(id))
	}
	return "DATADIS_SECRETS_KEYS=[" + strings.Join(keys, ",") + "]"
}

// The keys are changed in the middle of a run: processes that have only the new
// one finish it, know everybody by the same ids, and ask nothing again.
func TestKeysChangeInTheMiddleOfARun(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 28, World: smallWorld()})
	onServers := f.environ
	with := func(ids ...int) { f.environ = append(onServers[:len(onServers):len(onServers)], keysAre(ids...)) }
	rotated := func(code int) rotation {
		t.Helper()
		m := f.start("secret", "rotate", "--output", "json")
		m.end(code)
		var r rotation
		if err := json.Unmarshal([]byte(m.stdout.String()), &r); err != nil {
			t.Fatalf("%v: %s", err, m.stderr.String())
		}
		return r
	}
	with(1)
	f.start("producer", "--policy", "repair").finish()
	with(2)
	if r := rotated(codeFailed); r.Identities || r.Logins != 0 || len(r.Left) != 2 || len(r.Removable) != 0 {
		t.Errorf("without the old key: %+v", r)
	}
	with(2, 1)
	want := rotation{Key: 2, Identities: true, Logins: 1, Left: []string{}, Removable: []uint8{1}}
	if r := rotated(codeDone); !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
	with(2)
	f.start("consumer", "--once").finish()
	f.checkEnd()
	f.checkTopics()
	asked := f.answered()
	f.start("producer", "--policy", "repair").finish()
	f.start("consumer", "--once").finish()
	if again := f.answered(); again != asked {
		t.Errorf("%d queries were made again", again-asked)
	}
}

// What `engine doctor` and `engine secret rotate` say in each state.
func TestRotationTellsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := newShell(t, "")
	onServers := append(s.environ, "DATADIS_REDIS_USERS_URL="+server.URL(), "DATADIS_REDIS_DEVICES_URL="+server.URL(), "DATADIS_DATA_DIR="+s.dir)
	with := func(ids ...int) { s.environ = append(onServers[:len(onServers):len(onServers)], keysAre(ids...)) }
	with(1)
	c, err := newApp(nil, nil, s.environ).settings()
	if err != nil {
		t.Fatal(err)
	}
	client, err := openRedis("", c.Redis.Users.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	known, err := openSecrets(t.Context(), c, &servers{store: store.NewRedis(client, storePrefix)})
	if err != nil {
		t.Fatal(err)
	}
	logins := vault.NewCredentials(client, known.sealer, "r", time.Hour)
	if err := logins.Put(t.Context(), "l", "u", sdk.NewSecret("p")); err != nil {
		t.Fatal(err)
	}
	const both = "the key of the ids is encrypted with key 1, 1 login is encrypted with key 1"
	for _, step := range []struct {
		keys   []int
		state  state
		doctor string
		rotate result
	}{
		{[]int{1}, fine, "all is encrypted with key 1", result{codeDone, "nothing had to be encrypted anew with key 1\n", ""}},
		{[]int{2}, broken, "something is encrypted with key 1, which is not in secrets.keys", result{codeFailed, "" +
			"nothing had to be encrypted anew with key 2\n" +
			"left: the key of the ids is encrypted with a key that is not configured: number 1\n" +
			"left: a login of run r is encrypted with a key that is not configured: number 1\n" +
			"keep all keys in secrets.keys\n", ""}},
		{[]int{2, 1}, doubt, both, result{codeDone, "" +
			"encrypted anew with key 2: the key of the ids, 1 login\n" +
			"nothing needs key 1 any more; once every process runs with key 2 in front, take it out of secrets.keys\n", ""}},
		{[]int{2, 1}, fine, "all is encrypted with key 2; nothing needs key 1, and it can be taken out", result{codeDone, "" +
			"nothing had to be encrypted anew with key 2\n" +
			"nothing needs key 1 any more; once every process runs with key 2 in front, take it out of secrets.keys\n", ""}},
		{[]int{2}, fine, "all is encrypted with key 2", result{codeDone, "nothing had to be encrypted anew with key 2\n", ""}},
	} {
		with(step.keys...)
		c, err := newApp(nil, nil, s.environ).settings()
		if err != nil {
			t.Fatal(err)
		}
		if got := checkEncrypted(t.Context(), nil, c); len(got) != 1 || got[0].State != step.state || got[0].Detail != step.doctor {
			t.Errorf("doctor with keys %v: %+v", step.keys, got)
		}
		if got := s.engine(t, "secret", "rotate"); got != step.rotate {
			t.Errorf("rotate with keys %v:\ngot  %+v\nwant %+v", step.keys, got, step.rotate)
		}
	}
	s.environ = onServers[:1]
	want := result{codeDone, "local mode: the key of the ids lies in a file of data and is not encrypted, logins live no longer than the process\nthere is nothing to rotate\n", ""}
	if got := s.engine(t, "secret", "rotate"); got != want {
		t.Errorf("local mode: %+v", got)
	}
}

// Nothing is told to be removable while a producer is at work, which may still
// encrypt with the key that was in front when it started.
func TestNoKeyIsRemovableWhileAProducerIsAtWork(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := newShell(t, "")
	s.environ = append(s.environ, "DATADIS_REDIS_USERS_URL="+server.URL(), "DATADIS_REDIS_DEVICES_URL="+server.URL(), keysAre(2, 1))
	client, err := openRedis("", settings.NewURL(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	run, err := runs.NewRegistry(client, time.Minute).Open(t.Context(), "p", runs.Spec{Policy: "last", Started: time.Now(), Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got := s.engine(t, "secret", "rotate")
	if got.code != codeFailed || !strings.Contains(got.stdout, "left: a producer is at work in run "+run.ID) || strings.Contains(got.stdout, "take it out") {
		t.Errorf("%+v", got)
	}
}

// Files that others can read are named, if there is a secret in them.
func TestDoctorLooksAtTheFilesOfSecrets(t *testing.T) {
	t.Parallel()
	s := withPlugins(t)
	key, other := s.write(t, "key", strings.Repeat("ab", 32)), s.write(t, "other", "info")
	s.write(t, "config.json", fmt.Sprintf(`{"plugins": {"paths": ["bin"], "config_dir": "secrets"}, "secrets": {"keys": [{"id": 1, "key": {"file": %q}}]}, "log": {"level": {"file": %q}}}`, key, other))
	north := filepath.Join(s.dir, "secrets", "config_actor.json")
	look := func() []finding {
		t.Helper()
		a := newApp(io.Discard, io.Discard, s.environ)
		c, err := a.settings()
		if err != nil {
			t.Fatal(err)
		}
		return checkSecretFiles(t.Context(), a, c)
	}
	everybody := func(mode os.FileMode) {
		t.Helper()
		for _, name := range []string{key, other, north, filepath.Join(s.dir, "config.json")} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	everybody(0o640)
	if got := look(); len(got) != 1 || got[0].State != fine {
		t.Errorf("files of our own: %+v", got)
	}
	everybody(0o644)
	var files []string
	for _, f := range look() {
		files = append(files, strings.TrimPrefix(f.Remedy, "chmod o= "))
	}
	if want := []string{key, north}; !slices.Equal(files, want) {
		t.Errorf("named are %v, want %v", files, want)
	}
}

// A data folder that every user can write to is refused: links could lie in it.
func TestAnOpenDataFolderIsRefused(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	dir := filepath.Join(s.dir, "data")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	s.environ = append(s.environ, "DATADIS_DATA_DIR="+dir, "DATADIS_DATADIS_BASE_URL=http://127.0.0.1:1", "DATADIS_HTTP_LISTEN=off")
	plugins, err := pluginsDir()
	if err != nil {
		t.Fatal(err)
	}
	s.environ = append(s.environ, "DATADIS_PLUGINS_PATHS="+plugins)
	got := s.engine(t, "run", "--users", s.write(t, "users.csv", "username,password\n12345678Z,x\n"), "--out", s.dir)
	if got.code != codeFailed || !strings.Contains(got.stderr, "data_dir: every user can write to DIR/data") {
		t.Errorf("run: %+v", got)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it was written to: %v", left)
	}
	expect(t, s.engine(t, "doctor", "--output", "json").stdout, map[string]state{"data folder": broken})
}
