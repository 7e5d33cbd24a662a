package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	corev1 "k8s.io/api/core/v1"

	"github.com/datadis-engine/datadis/tools/deploy/internal/sandbox"
)

// cluster is what pods are started in: the servers that the configuration names,
// the contents of the two secrets, and the volumes that outlive pods.
type cluster struct {
	*testing.T
	image   *stage
	dir     string
	secrets map[string]map[string]string
	acme    string // a folder with the third party's plugin, as its image has it
	brokers []string
}

// newCluster starts two Redis servers, a broker and a simulated Datadis, and
// writes the secrets.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, image: theImage(t), dir: t.TempDir()}
	site, users := c.simulator()
	config := map[string]any{
		"datadis": map[string]any{"base_url": site, "login_retry": "1s", "months": 2},
		"redis":   map[string]any{"users": map[string]any{"url": c.redis()}, "devices": map[string]any{"url": c.redis()}},
		"kafka":   map[string]any{"connection": map[string]any{"bootstrap.servers": c.kafka()}, "partitions": 2},
		"run":     map[string]any{"lease": "2s"},
		"secrets": map[string]any{"keys": []any{map[string]any{"id": 1, "key": strings.Repeat("ab", 32)}}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Split(strings.Split(users, "\n")[1], ",")
	c.secrets = map[string]map[string]string{
		baseSecret: {"config.json": string(text)},
		plugSecret: {
			"config_north.json":   `{"plugin": "file", "path": "users.csv"}`,
			"users.csv":           users,
			"config_parquet.json": manifestExample(t, "plugins/parquet/kubeconfig.yaml"),
			"config_acme.json":    fmt.Sprintf(`{"username": %q, "password": %q}`, first[0], first[1]),
		},
	}
	c.acme = c.thirdParty()
	return c
}

// manifestExample is the configuration that a manifest's comment gives.
func manifestExample(t *testing.T, file string) string {
	t.Helper()
	for line := range strings.Lines(string(read(t, filepath.Join(root, file)))) {
		if example, ok := strings.CutPrefix(strings.TrimSpace(line), "#   {"); ok {
			return "{" + example
		}
	}
	t.Fatalf("%s gives no configuration", file)
	return ""
}

// port is one that is free.
func port(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// await waits for a condition.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// background starts a server that is killed at the end of the test.
func (c *cluster) background(cmd *exec.Cmd) *bytes.Buffer {
	c.Helper()
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return out
}

func (c *cluster) redis() string {
	c.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port(c.T))
	_, number, _ := strings.Cut(address, ":")
	c.background(exec.Command("redis-server", "--port", number, "--bind", "127.0.0.1", "--save", "", "--dir", c.dir))
	await(c.T, "redis-server", func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return connection.Close() == nil
	})
	return "redis://" + address + "/0"
}

func (c *cluster) kafka() string {
	c.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(broker.Close)
	c.brokers = broker.ListenAddrs()
	return c.brokers[0]
}

// awaitTopic waits until a topic holds something.
func (c *cluster) awaitTopic(topic string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		c.Fatal(err)
	}
	defer client.Close()
	for {
		fetched := client.PollFetches(ctx)
		if ctx.Err() != nil {
			c.Fatalf("waited in vain for something in %s: %v", topic, fetched.Err())
		}
		if fetched.NumRecords() > 0 {
			return
		}
	}
}

// simulator starts a simulated Datadis and returns its address and its users.
func (c *cluster) simulator() (site, users string) {
	c.Helper()
	url, list := filepath.Join(c.dir, "url"), filepath.Join(c.dir, "users.csv")
	out := c.background(exec.Command(filepath.Join(c.image.files, c.image.entry[0]), "simulate", "--listen", "127.0.0.1:0",
		"--accounts", "2", "--supplies", "2", "--seed", "7", "--dir", filepath.Join(c.dir, "simulator"), "--url-file", url, "--users-out", list))
	var text, rows []byte
	await(c.T, "the simulator", func() bool {
		text, _ = os.ReadFile(url)
		rows, _ = os.ReadFile(list)
		return len(text) > 0 && len(rows) > 0
	})
	if len(text) == 0 {
		c.Fatal(out)
	}
	return strings.TrimSpace(string(text)), string(rows)
}

// thirdParty builds a plugin that is not in the image. The Go command is told
// that its source lies in plugins/.
func (c *cluster) thirdParty() string {
	c.Helper()
	dir := filepath.Join(c.dir, "acme")
	if err := os.MkdirAll(filepath.Join(dir, "plugin"), 0o755); err != nil {
		c.Fatal(err)
	}
	repository, err := filepath.Abs(root)
	if err != nil {
		c.Fatal(err)
	}
	source, err := filepath.Abs("testdata/acme/main.go")
	if err != nil {
		c.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(repository, "plugins/acme/main.go"): source}})
	if err != nil {
		c.Fatal(err)
	}
	file := filepath.Join(c.dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		c.Fatal(err)
	}
	binary := filepath.Join(dir, "plugin/datadis-plugin-acme")
	build := exec.CommandContext(c.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-overlay", file, "-o", binary, "./plugins/acme")
	build.Dir, build.Env = repository, append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+runtime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		c.Fatalf("build the third party's plugin: %v\n%s", err, out)
	}
	manifest, err := exec.CommandContext(c.Context(), binary, "manifest").Output()
	if err == nil {
		err = os.WriteFile(binary+".json", manifest, 0o644)
	}
	if err != nil {
		c.Fatal(err)
	}
	return dir
}

// volume makes a volume as the kubelet would. One that is claimed is the same
// for every pod that claims it.
func (c *cluster) volume(pod string, v corev1.Volume, group int) string {
	c.Helper()
	dir := filepath.Join(c.dir, "pods", pod, v.Name)
	switch {
	case v.Secret != nil:
		c.secretVolume(dir, v.Secret, group)
		return dir
	case v.PersistentVolumeClaim != nil:
		dir = filepath.Join(c.dir, "claims", v.PersistentVolumeClaim.ClaimName)
	case v.EmptyDir != nil:
	default:
		c.Fatalf("the test knows no volume like %s", v.Name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.Chown(dir, 0, group); err != nil {
		c.Fatal(err)
	}
	if err := os.Chmod(dir, 0o775|os.ModeSetgid); err != nil { // as fsGroup has it
		c.Fatal(err)
	}
	return dir
}

// secretVolume lays the keys of a secret out as the kubelet does: links to files
// in a hidden folder that can be exchanged at once.
func (c *cluster) secretVolume(dir string, s *corev1.SecretVolumeSource, group int) {
	c.Helper()
	data := filepath.Join(dir, "..2026_11_24_22_00_00.1")
	if err := os.MkdirAll(data, 0o755); err != nil {
		c.Fatal(err)
	}
	keys := c.secrets[s.SecretName]
	files := map[string]string{}
	for _, item := range s.Items {
		text, ok := keys[item.Key]
		if !ok {
			c.Fatalf("the pod would wait for %s of %s for ever", item.Key, s.SecretName)
		}
		files[item.Path] = text
	}
	if len(s.Items) == 0 {
		files = keys
	}
	if err := os.Symlink(filepath.Base(data), filepath.Join(dir, "..data")); err != nil {
		c.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(data, name)
		if err := os.WriteFile(file, []byte(text), os.FileMode(*s.DefaultMode)); err != nil {
			c.Fatal(err)
		}
		if err := os.Chown(file, 0, group); err != nil {
			c.Fatal(err)
		}
		if err := os.Symlink("..data/"+name, filepath.Join(dir, name)); err != nil {
			c.Fatal(err)
		}
	}
}

// initImage is a Spec for an init container: the third party's image, which has
// its plugin and a few tools, here those of this system.
func (c *cluster) initImage() sandbox.Spec {
	merged, work := filepath.Join(c.dir, "merged"), filepath.Join(c.dir, "work")
	for _, dir := range []string{merged, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			c.Fatal(err)
		}
	}
	return sandbox.Spec{Root: merged, Overlay: &sandbox.Overlay{Lower: "/", Upper: c.acme, Work: work}, Dir: "/"}
}
