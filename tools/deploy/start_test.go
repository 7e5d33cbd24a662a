package deploy

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/datadis-engine/datadis/tools/deploy/internal/sandbox"
)

// jobs counts up with each Job, by the minutes of two days.
var jobs atomic.Int64

// pod is a workload's pod, running.
type pod struct {
	*cluster
	workload
	port   int // in the place of the container's
	cmd    *exec.Cmd
	output lockedBuffer
	ended  chan struct{}
}

// lockedBuffer collects what a process writes, to be read at any time.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start runs a pod as its manifest says: its init containers to their end, then
// its container. Only the port is another, so that pods share this machine.
func (c *cluster) start(w workload) *pod {
	c.Helper()
	p := &pod{cluster: c, workload: w, port: port(c.T), ended: make(chan struct{})}
	spec := w.template.Spec
	name := strings.ReplaceAll(w.meta.Name+"-"+filepath.Base(w.file), ".", "-")
	volumes := map[string]string{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = c.volume(name, v, int(*spec.SecurityContext.FSGroup))
	}
	for _, init := range spec.InitContainers {
		s := c.contain(c.initImage(), spec, init, volumes)
		program, err := exec.LookPath(init.Command[0])
		if err != nil {
			c.Fatal(err)
		}
		s.Args = append([]string{program}, init.Command[1:]...)
		output(c.T, s)
	}
	container := spec.Containers[0]
	s := c.contain(inImage(c.image), spec, container, volumes)
	env := p.environment(container)
	s.Env = environ(env)
	s.Args = slices.Clone(c.image.entry)
	for _, arg := range container.Args {
		for key, value := range env {
			arg = strings.ReplaceAll(arg, "$("+key+")", value)
		}
		s.Args = append(s.Args, arg)
	}
	cmd, err := sandbox.Command(c.Context(), s)
	if err != nil {
		c.Fatal(err)
	}
	p.cmd, cmd.Stdout, cmd.Stderr = cmd, &p.output, &p.output
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // who waits looks at its state
	}()
	c.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, unless the test failed
		<-p.ended
		if c.Failed() {
			c.Logf("%s:\n%s", w, p.output.String())
		}
	})
	return p
}

// contain gives a Spec what the manifest says of a container.
func (c *cluster) contain(s sandbox.Spec, spec corev1.PodSpec, container corev1.Container, volumes map[string]string) sandbox.Spec {
	security := spec.SecurityContext
	s.UID, s.GID = int(*security.RunAsUser), int(*security.RunAsGroup)
	s.Groups = []int{int(*security.FSGroup)}
	s.ReadOnlyRoot = *container.SecurityContext.ReadOnlyRootFilesystem
	for _, m := range container.VolumeMounts {
		s.Mounts = append(s.Mounts, sandbox.Mount{Source: volumes[m.Name], Target: m.MountPath, ReadOnly: m.ReadOnly})
	}
	return s
}

// environment is that of the image and of the manifest, and nothing else.
func (p *pod) environment(container corev1.Container) map[string]string {
	p.Helper()
	env := maps.Clone(p.image.env)
	for _, e := range container.Env {
		switch {
		case e.ValueFrom == nil:
			env[e.Name] = e.Value
		case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.labels['batch.kubernetes.io/job-name']":
			// A CronJob puts the minute that was scheduled behind its name.
			env[e.Name] = fmt.Sprintf("%s-%d", p.meta.Name, 29401234+jobs.Add(2880))
		default:
			p.Fatalf("the test cannot give %s", e.Name)
		}
	}
	if listen, ok := env["DATADIS_HTTP_LISTEN"]; ok && listen == fmt.Sprintf(":%d", container.Ports[0].ContainerPort) {
		env["DATADIS_HTTP_LISTEN"] = fmt.Sprintf("127.0.0.1:%d", p.port)
	}
	return env
}

// exit waits for the pod's end, which must be a good one.
func (p *pod) exit() {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Duration(*p.template.Spec.TerminationGracePeriodSeconds) * time.Second):
		p.Fatalf("%s did not end:\n%s", p, p.output.String())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.Fatalf("%s ended with %d:\n%s", p, code, p.output.String())
	}
}

// probe waits until a probe succeeds.
func (p *pod) probe(what string, probe *corev1.Probe) {
	p.Helper()
	last := "no answer"
	await(p.T, fmt.Sprintf("the %s probe of %s", what, p), func() bool {
		select {
		case <-p.ended:
			p.Fatalf("%s ended, %s:\n%s", p, last, p.output.String())
		default:
		}
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", p.port, probe.HTTPGet.Path))
		if err != nil {
			last = err.Error()
			return false
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		last = response.Status + " " + string(body)
		return response.StatusCode == http.StatusOK
	})
}

// TestPodsRun starts everything that the manifests start, for real: the
// consumers and harmonizers, then each CronJob's producer once. Their command
// lines, mounts, users and probes are the manifests'; the plugin that the
// examples add is one that the image does not have. What comes out is files of
// the parquet harmonizer in its volume and records of the third party's in its
// topic, and every pod ends well when told to.
func TestPodsRun(t *testing.T) {
	c := newCluster(t)
	var running []*pod
	for _, w := range workloads(t) {
		_, external := external[w.template.Labels["app.kubernetes.io/instance"]]
		if w.kind == "Deployment" && !external {
			running = append(running, c.start(w))
		}
	}
	for _, p := range running {
		container := p.template.Spec.Containers[0]
		p.probe("startup", container.StartupProbe)
		p.probe("liveness", container.LivenessProbe)
		p.probe("readiness", container.ReadinessProbe)
		if metrics := p.template.Annotations["prometheus.io/path"]; metrics != "" {
			p.probe("metrics", &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: metrics}}})
		}
	}
	for _, w := range workloads(t) {
		if w.kind == "CronJob" {
			c.start(w).exit()
		}
	}
	for _, source := range []string{"north", "acme"} {
		pattern := filepath.Join(c.dir, "claims/datadis-parquet/parquet", source, "EnergyConsumptionGridElectricity_PT1H/*/*.parquet")
		await(t, "files of "+source+" in the volume", func() bool {
			found, err := filepath.Glob(pattern)
			return err == nil && len(found) > 0
		})
	}
	c.awaitTopic("acme.output")
	for _, p := range running {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range running {
		p.exit()
	}
}

// external are the harmonizers that write to a server which this test has not:
// their instances, with a configuration that is right but for the server. A new
// harmonizer that needs one is added here.
var external = map[string]string{
	"timescale": `{"url": "postgres://writer@127.0.0.1:1/energy?sslmode=disable", "password": "none"}`,
	"sime":      `{"neo4j": {"uri": "bolt://127.0.0.1:1", "username": "neo4j", "password": "none"}, "secret_password": "none", "topic": "datadis.sime"}`,
}

// TestPodsGetPastTheirConfiguration starts the harmonizers whose server is not
// there. They may wait for it, or fail for want of it; what they are started with
// must not be at fault.
func TestPodsGetPastTheirConfiguration(t *testing.T) {
	c := newCluster(t)
	for _, w := range workloads(t) {
		instance := w.template.Labels["app.kubernetes.io/instance"]
		config, ok := external[instance]
		if !ok || w.kind != "Deployment" {
			continue
		}
		c.secrets[plugSecret]["config_"+instance+".json"] = config
		p := c.start(w)
		ended := false
		await(t, "a sign of life of "+p.String(), func() bool {
			select {
			case <-p.ended:
				ended = true
				return true
			default:
			}
			response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", p.port, p.template.Spec.Containers[0].LivenessProbe.HTTPGet.Path))
			return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
		})
		if !ended {
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-p.ended
		}
		if code := p.cmd.ProcessState.ExitCode(); code != 0 && code != 1 && code != 130 {
			t.Errorf("%s ended with %d:\n%s", p, code, p.output.String())
		}
		if ended {
			t.Logf("it said: %s", p.output.String())
		}
	}
}
