package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	services   = "kubeconfigs/services.yaml"
	examples   = "docs/examples"
	namespace  = "datadis"
	baseSecret = "datadis-base-secret"
	plugSecret = "datadis-plugins-secret"
)

// manifestFiles are all files of objects, by path from the root.
func manifestFiles(t *testing.T) []string {
	t.Helper()
	files := []string{services}
	for _, pattern := range []string{"plugins/*/kubeconfig.yaml", examples + "/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no file is like %s: %v", pattern, err)
		}
		for _, name := range found {
			if !strings.HasSuffix(name, ".patch.yaml") {
				within, err := filepath.Rel(root, name)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, within)
			}
		}
	}
	return files
}

// decode reads the objects of a file, as strictly as the API server.
func decode(t *testing.T, file string) []runtime.Object {
	t.Helper()
	objects, err := decodeStrictly(read(t, filepath.Join(root, file)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return objects
}

func decodeStrictly(text []byte) ([]runtime.Object, error) {
	codec := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		serializer.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	var objects []runtime.Object
	buffer := make([]byte, 1<<20)
	for {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object, _, err := codec.Decode(buffer[:n], nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

// workload is something that starts pods.
type workload struct {
	file     string
	kind     string
	meta     metav1.ObjectMeta
	template corev1.PodTemplateSpec
	object   runtime.Object
}

func (w workload) String() string { return w.file + " " + w.kind + " " + w.meta.Name }

// workloads finds those of all files, and those that the patch of the examples
// makes.
func workloads(t *testing.T) []workload {
	t.Helper()
	var list []workload
	for _, file := range manifestFiles(t) {
		for _, object := range decode(t, file) {
			list = append(list, asWorkload(file, object)...)
		}
	}
	for _, w := range list {
		if cron, ok := w.object.(*batchv1.CronJob); ok && w.meta.Name == "datadis-producer" {
			const file = examples + "/source-acme.patch.yaml"
			list = append(list, asWorkload(file, patched(t, cron, file))...)
		}
	}
	if len(list) < 6 {
		t.Fatalf("only %d workloads were found: %v", len(list), list)
	}
	return list
}

func asWorkload(file string, object runtime.Object) []workload {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return []workload{{file, "Deployment", o.ObjectMeta, o.Spec.Template, object}}
	case *batchv1.CronJob:
		return []workload{{file, "CronJob", o.ObjectMeta, o.Spec.JobTemplate.Spec.Template, object}}
	default:
		return nil
	}
}

// patched is what `kubectl patch --patch-file` makes of the object.
func patched(t *testing.T, cron *batchv1.CronJob, file string) *batchv1.CronJob {
	t.Helper()
	original, err := json.Marshal(cron)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := yaml.ToJSON(read(t, filepath.Join(root, file)))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := strategicpatch.StrategicMergePatch(original, patch, &batchv1.CronJob{})
	if err != nil {
		t.Fatal(err)
	}
	result := new(batchv1.CronJob)
	decoder := json.NewDecoder(bytes.NewReader(merged))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(result); err != nil {
		t.Fatalf("%s makes no CronJob: %v", file, err)
	}
	return result
}

// TestManifestsStrict makes sure that the decoding is strict: what kubectl would
// warn about, or a cluster drop, is an error here.
func TestManifestsStrict(t *testing.T) {
	good := string(read(t, filepath.Join(root, services)))
	for name, bad := range map[string]string{
		"a misspelt field":      strings.Replace(good, "readOnlyRootFilesystem", "readOnlyRootFileSystem", 1),
		"a field twice":         strings.Replace(good, "  schedule:", "  schedule: \"0 1 * * *\"\n  schedule:", 1),
		"a text for a number":   strings.Replace(good, "replicas: 2", "replicas: two", 1),
		"a kind of an operator": strings.Replace(good, "kind: PodDisruptionBudget", "kind: ServiceMonitor", 1),
	} {
		if bad == good {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if _, err := decodeStrictly([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestManifestsNames: everything is in the namespace, which comes first, and
// nothing is there twice.
func TestManifestsNames(t *testing.T) {
	if first, ok := decode(t, services)[0].(*corev1.Namespace); !ok || first.Name != namespace {
		t.Errorf("%s does not begin with the namespace", services)
	}
	seen := map[string]string{}
	for _, file := range manifestFiles(t) {
		for _, object := range decode(t, file) {
			meta, ok := object.(metav1.Object)
			if !ok {
				t.Fatalf("%s holds a %T", file, object)
			}
			if _, isNamespace := object.(*corev1.Namespace); !isNamespace && meta.GetNamespace() != namespace {
				t.Errorf("%s: %s is in namespace %q", file, meta.GetName(), meta.GetNamespace())
			}
			id := object.GetObjectKind().GroupVersionKind().Kind + " " + meta.GetName()
			if other, ok := seen[id]; ok {
				t.Errorf("%s is in %s and in %s", id, other, file)
			}
			seen[id] = file
			if _, isSecret := object.(*corev1.Secret); isSecret {
				t.Errorf("%s holds a secret", file)
			}
		}
	}
}

// TestServicesNameNoPlugin: the one file for all projects is of no project.
func TestServicesNameNoPlugin(t *testing.T) {
	for _, object := range decode(t, services) {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("config_")) || bytes.Contains(text, []byte("datadis-plugin-")) {
			t.Errorf("a plugin is named: %s", text)
		}
		for _, plugin := range shipped(t) {
			if bytes.Contains(text, []byte(`"`+plugin+`"`)) {
				t.Errorf("the plugin %s is named: %s", plugin, text)
			}
		}
	}
}

// TestEveryHarmonizerHasItsManifest: a shipped plugin that harmonizes comes with
// a kubeconfig in its folder.
func TestEveryHarmonizerHasItsManifest(t *testing.T) {
	s := theImage(t)
	for _, plugin := range shipped(t) {
		manifest := read(t, filepath.Join(s.files, "opt/datadis/plugins/datadis-plugin-"+plugin+".json"))
		_, err := os.Stat(filepath.Join(root, "plugins", plugin, "kubeconfig.yaml"))
		if harmonizes := strings.Contains(string(manifest), `"harmonizer"`); harmonizes != (err == nil) {
			t.Errorf("plugin %s: harmonizes %v, kubeconfig.yaml: %v", plugin, harmonizes, err)
		}
	}
}

// TestSelectors: what selects pods selects those that it is for, and no others.
func TestSelectors(t *testing.T) {
	all := workloads(t)
	matching := func(selector labels.Selector) []string {
		var names []string
		for _, w := range all {
			if selector.Matches(labels.Set(w.template.Labels)) && !slices.Contains(names, w.meta.Name) {
				names = append(names, w.meta.Name)
			}
		}
		return names
	}
	for _, file := range manifestFiles(t) {
		for _, object := range decode(t, file) {
			var selector *metav1.LabelSelector
			want, what := "datadis-consumer", "the budget"
			switch o := object.(type) {
			case *appsv1.Deployment:
				selector, want, what = o.Spec.Selector, o.Name, "the Deployment "+o.Name
				for _, spread := range o.Spec.Template.Spec.TopologySpreadConstraints {
					spreads, err := metav1.LabelSelectorAsSelector(spread.LabelSelector)
					if err != nil || !slices.Equal(matching(spreads), []string{o.Name}) {
						t.Errorf("%s: the spread of %s is over %v: %v", file, o.Name, matching(spreads), err)
					}
				}
			case *policyv1.PodDisruptionBudget:
				selector = o.Spec.Selector
			case *corev1.Service:
				selector, what = &metav1.LabelSelector{MatchLabels: o.Spec.Selector}, "the Service"
			default:
				continue
			}
			selects, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil || !slices.Equal(matching(selects), []string{want}) {
				t.Errorf("%s: %s selects %v, not %s: %v", file, what, matching(selects), want, err)
			}
		}
	}
}
