package deploy

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestPods checks each pod against what the engine, the image and a cluster of
// strict policy ask for.
func TestPods(t *testing.T) {
	drain := drainTimeout(t)
	images := map[string]bool{}
	for _, w := range workloads(t) {
		t.Run(strings.ReplaceAll(w.String(), "/", "_"), func(t *testing.T) {
			spec := w.template.Spec
			checkPodSecurity(t, spec)
			checkVolumes(t, spec)
			if grace := spec.TerminationGracePeriodSeconds; grace == nil || time.Duration(*grace)*time.Second < drain+20*time.Second {
				t.Errorf("the grace period %v leaves no room beyond run.drain_timeout, %s", grace, drain)
			}
			for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
				checkContainer(t, c)
			}
			for _, c := range spec.Containers {
				images[c.Image] = true
				checkEngine(t, spec, c, w.kind)
			}
			if cron, ok := w.object.(*batchv1.CronJob); ok {
				checkCronJob(t, cron)
			}
		})
	}
	if len(images) != 1 {
		t.Errorf("the engine's image has more than one name: %v", images)
	}
	for image := range images {
		_, tag, _ := strings.Cut(filepath.Base(image), ":")
		if tag == "" || tag == "latest" {
			t.Errorf("image %s is not pinned", image)
		}
		example := string(read(t, filepath.Join(root, examples, "Dockerfile.acme")))
		if !strings.Contains(example, "\nFROM "+image+"\n") {
			t.Errorf("the example's Dockerfile is not from %s", image)
		}
	}
}

// drainTimeout is the default of run.drain_timeout.
func drainTimeout(t *testing.T) time.Duration {
	t.Helper()
	text := string(read(t, filepath.Join(root, "docs/configuration.md")))
	found := regexp.MustCompile("(?m)^\\| `run.drain_timeout` \\| duration \\| `([^`]+)`").FindStringSubmatch(text)
	if found == nil {
		t.Fatal("docs/configuration.md has no run.drain_timeout")
	}
	drain, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return drain
}

// checkPodSecurity asks for what the policy "restricted" asks of a pod, and for
// a group by which mounted secrets can be read.
func checkPodSecurity(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	isFalse := func(b *bool) bool { return b != nil && !*b }
	if !isFalse(spec.AutomountServiceAccountToken) {
		t.Error("the pod gets a token for the cluster, which it does not need")
	}
	if !isFalse(spec.EnableServiceLinks) {
		t.Error("enableServiceLinks is on: variables such as DATADIS_PORT come from it")
	}
	s := spec.SecurityContext
	switch {
	case s == nil:
		t.Fatal("no securityContext")
	case s.RunAsNonRoot == nil || !*s.RunAsNonRoot:
		t.Error("may run as root")
	case s.RunAsUser == nil || *s.RunAsUser != 65532 || s.FSGroup == nil || *s.FSGroup != 65532:
		t.Error("user and group are not those of the image")
	case s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Error("no seccomp profile")
	}
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		t.Error("shares something with the host")
	}
}

// checkContainer asks for the same of a container, and for resources.
func checkContainer(t *testing.T, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
		s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		t.Errorf("container %s: the securityContext is not complete: %+v", c.Name, s)
	}
	requests, limits := c.Resources.Requests, c.Resources.Limits
	if requests.Cpu().IsZero() || requests.Memory().IsZero() || limits.Memory().IsZero() || limits.Memory().Cmp(*requests.Memory()) < 0 {
		t.Errorf("container %s: resources are not complete", c.Name)
	}
	for _, e := range c.Env {
		if e.Name != "GOMEMLIMIT" {
			continue
		}
		limit, err := resource.ParseQuantity(strings.TrimSuffix(e.Value, "B"))
		if err != nil || limit.Cmp(*limits.Memory()) >= 0 {
			t.Errorf("container %s: GOMEMLIMIT %s is not below %s: %v", c.Name, e.Value, limits.Memory(), err)
		}
	}
}

// checkVolumes: every mount has its volume, every volume is used, only the two
// secrets and their known keys are mounted, and the pod waits for them.
func checkVolumes(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	known, used := map[string]corev1.Volume{}, map[string]bool{}
	for _, v := range spec.Volumes {
		if _, twice := known[v.Name]; twice {
			t.Errorf("volume %s is there twice", v.Name)
		}
		known[v.Name] = v
		checkSecretVolume(t, v)
	}
	for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
		paths := map[string]bool{}
		for _, m := range c.VolumeMounts {
			v, ok := known[m.Name]
			if !ok {
				t.Errorf("container %s mounts %s, which is no volume", c.Name, m.Name)
			}
			if paths[m.MountPath] || !path.IsAbs(m.MountPath) || m.SubPath != "" {
				t.Errorf("container %s: the mount at %s", c.Name, m.MountPath)
			}
			if v.Secret != nil && !m.ReadOnly {
				t.Errorf("container %s may write to the secret at %s", c.Name, m.MountPath)
			}
			paths[m.MountPath], used[m.Name] = true, true
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("volume %s is not mounted", name)
		}
	}
}

var pluginKey = regexp.MustCompile(`^config_[a-z0-9][a-z0-9_-]*\.json$`)

func checkSecretVolume(t *testing.T, v corev1.Volume) {
	t.Helper()
	s := v.Secret
	if s == nil {
		return
	}
	if s.SecretName != baseSecret && s.SecretName != plugSecret {
		t.Errorf("there will be no secret %s", s.SecretName)
	}
	if s.Optional != nil && *s.Optional {
		t.Errorf("the pod does not wait for %s", s.SecretName)
	}
	if s.DefaultMode == nil || *s.DefaultMode != 0o440 {
		t.Errorf("the files of %s can be read by others: mode %o", s.SecretName, *s.DefaultMode)
	}
	for _, item := range s.Items {
		if s.SecretName == baseSecret && item.Key != "config.json" || s.SecretName == plugSecret && !pluginKey.MatchString(item.Key) || item.Path != item.Key {
			t.Errorf("%s has no %s that belongs at %s", s.SecretName, item.Key, item.Path)
		}
	}
}

// checkEngine: what the container tells the engine is true of its mounts and
// ports.
func checkEngine(t *testing.T, spec corev1.PodSpec, c corev1.Container, kind string) {
	t.Helper()
	mounts := map[string]corev1.Volume{}
	for _, m := range c.VolumeMounts {
		for _, v := range spec.Volumes {
			if v.Name == m.Name {
				mounts[m.MountPath] = v
			}
		}
	}
	holds := func(dir, secret string) bool {
		return mounts[dir].Secret != nil && mounts[dir].Secret.SecretName == secret
	}
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	if dir, file := path.Split(env["CONF_FILE"]); file != "config.json" || !holds(path.Clean(dir), baseSecret) {
		t.Errorf("CONF_FILE is %q, where no configuration lies", env["CONF_FILE"])
	}
	if dir := env["DATADIS_PLUGINS_CONFIG_DIR"]; (dir != "" || mountsSecret(spec, plugSecret)) && !holds(dir, plugSecret) {
		t.Errorf("DATADIS_PLUGINS_CONFIG_DIR is %q, where no configurations lie", dir)
	}
	if mounts[env["TMPDIR"]].EmptyDir == nil {
		t.Errorf("TMPDIR is %q, which is no emptyDir: plugins have no place for their sockets", env["TMPDIR"])
	}
	if len(c.Command) > 0 {
		t.Error("the image's entry point is replaced")
	}
	if kind == "Deployment" {
		checkPorts(t, c, env)
	}
}

func mountsSecret(spec corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == name })
}

// checkPorts: the engine listens where the probes ask.
func checkPorts(t *testing.T, c corev1.Container, env map[string]string) {
	t.Helper()
	if len(c.Ports) != 1 {
		t.Fatalf("%d ports", len(c.Ports))
	}
	port := c.Ports[0]
	if want := fmt.Sprintf(":%d", port.ContainerPort); env["DATADIS_HTTP_LISTEN"] != want {
		t.Errorf("it listens on %q, the port is %s", env["DATADIS_HTTP_LISTEN"], want)
	}
	for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port.StrVal != port.Name {
			t.Errorf("the %s probe does not ask port %s: %+v", name, port.Name, probe)
		}
	}
}

// TestService: the Service leads to the port that pods have and the image
// exposes.
func TestService(t *testing.T) {
	var service *corev1.Service
	for _, object := range decode(t, services) {
		if s, ok := object.(*corev1.Service); ok {
			service = s
		}
	}
	if service == nil || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != 8080 || service.Spec.Ports[0].TargetPort.StrVal != "http" {
		t.Fatalf("the Service does not lead from port 8080 to http: %+v", service)
	}
	for _, w := range workloads(t) {
		for _, c := range w.template.Spec.Containers {
			for _, p := range c.Ports {
				if p.Name != "http" || p.ContainerPort != 8080 || w.template.Annotations["prometheus.io/port"] != strconv.Itoa(int(p.ContainerPort)) {
					t.Errorf("%s: port %s %d", w, p.Name, p.ContainerPort)
				}
			}
		}
	}
	if !strings.Contains(string(read(t, filepath.Join(root, "Dockerfile"))), "\nEXPOSE 8080\n") {
		t.Error("the image does not expose the port")
	}
}

// checkCronJob: one run for each night, in Madrid's time, and never two.
func checkCronJob(t *testing.T, c *batchv1.CronJob) {
	t.Helper()
	if c.Spec.ConcurrencyPolicy != batchv1.ForbidConcurrent {
		t.Error("two may run at the same time")
	}
	if c.Spec.TimeZone == nil || *c.Spec.TimeZone != "Europe/Madrid" {
		t.Error("the schedule is not in Madrid's time")
	}
	if len(strings.Fields(c.Spec.Schedule)) != 5 {
		t.Errorf("schedule %q", c.Spec.Schedule)
	}
	if c.Name == "datadis-producer" && (c.Spec.Schedule != "0 22 */2 * *" || *c.Spec.Suspend) {
		t.Errorf("it does not run every second night: %q", c.Spec.Schedule)
	}
	container := c.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	if policy := c.Spec.JobTemplate.Spec.PodFailurePolicy; policy == nil || len(policy.Rules) != 1 ||
		policy.Rules[0].Action != batchv1.PodFailurePolicyActionFailJob || *policy.Rules[0].OnExitCodes.ContainerName != container.Name ||
		!slices.Equal(policy.Rules[0].OnExitCodes.Values, []int32{2}) || c.Spec.JobTemplate.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("wrong usage is tried again: %+v", policy)
	}
	var slot string
	for _, e := range container.Env {
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.labels['"+batchv1.JobNameLabel+"']" {
			slot = "$(" + e.Name + ")"
		}
	}
	if i := slices.Index(container.Args, "--slot"); slot == "" || i < 0 || container.Args[i+1] != slot {
		t.Errorf("no slot from the Job's name: %v", container.Args)
	}
}

// TestCommands: the manifest and the quick start say the same commands, letter
// by letter, and they name the secrets that the pods mount.
func TestCommands(t *testing.T) {
	commands := []string{
		"kubectl apply -f kubeconfigs/services.yaml",
		"kubectl create secret generic " + baseSecret + " --from-file=config.json=config.json -n " + namespace,
		"kubectl create secret generic " + plugSecret + " --from-file=config_plugin_x.json=config_plugin_x.json --from-file=config_plugin_y.json=config_plugin_y.json -n " + namespace,
	}
	for _, file := range []string{services, "docs/quickstart.md"} {
		text := string(read(t, filepath.Join(root, file)))
		for _, command := range commands {
			if !strings.Contains(text, command+"\n") {
				t.Errorf("%s does not have %s", file, command)
			}
		}
	}
	// Whoever sees the pods' manifests can mount no more than those make.
	for _, w := range workloads(t) {
		if !mountsSecret(w.template.Spec, baseSecret) {
			t.Errorf("%s has no configuration", w)
		}
		text, err := json.Marshal(w.template)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "secretKeyRef") {
			t.Errorf("%s puts a secret into the environment", w)
		}
	}
}
