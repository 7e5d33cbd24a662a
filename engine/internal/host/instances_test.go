package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// describe writes the manifest of an actor beside it.
func (w *world) describe(path string) {
	w.t.Helper()
	cmd := exec.Command(path, "manifest", "-w")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v", out, err)
	}
}

func TestFilesInThePluginFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "asked", "Upper", "dot.ted")
	w.describe(w.add("good"))
	w.write(w.bin, "datadis-plugin-hung.json", "{}")
	w.write(w.bin, "README.md", "")
	w.write(w.bin, ".hidden", "")
	w.write(w.bin, "datadis-plugin-data", "")
	w.write(w.bin, "datadis-plugin-broken", "")
	for _, name := range []string{"datadis-plugin-dir", "more"} {
		if err := os.Mkdir(filepath.Join(w.bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	other := t.TempDir()
	if err := os.Symlink(actor, filepath.Join(other, "datadis-plugin-linked")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(actor, filepath.Join(other, "datadis-plugin-good")); err != nil {
		t.Fatal(err)
	}
	// A manifest that is not to be believed.
	w.write(other, "datadis-plugin-old.json", `{"name":"old","kinds":["source"],"version":"1","protocol":7}`)
	w.write(other, "datadis-plugin-other.json", `{"name":"else","kinds":["source"],"version":"1","protocol":1}`)
	w.write(other, "datadis-plugin-torn.json", `{"name":`)
	for _, name := range []string{"old", "other", "torn"} {
		if err := os.Link(actor, filepath.Join(other, plugin.FilePrefix+name)); err != nil {
			t.Fatal(err)
		}
	}
	w.config.Paths = []string{w.bin, other, "/no/such/folder"}

	seen := make(map[string]Candidate)
	for _, c := range New(w.config).Candidates(t.Context()) {
		seen[filepath.Base(filepath.Dir(c.Path))+"/"+filepath.Base(c.Path)] = c
	}
	o := filepath.Base(other)
	for file, want := range map[string]struct {
		status Status
		reason string
	}{
		"plugins/datadis-plugin-asked":     {OK, ""},
		"plugins/datadis-plugin-good":      {OK, ""},
		"plugins/datadis-plugin-Upper":     {Ignored, "a-z"},
		"plugins/datadis-plugin-dot.ted":   {Ignored, "a-z"},
		"plugins/datadis-plugin-hung.json": {Ignored, "without its binary"},
		"plugins/README.md":                {Ignored, "does not begin with"},
		"plugins/more":                     {Ignored, "does not begin with"},
		"plugins/datadis-plugin-dir":       {Ignored, "no regular file"},
		"plugins/datadis-plugin-data":      {NotExecutable, "chmod"},
		"plugins/datadis-plugin-broken":    {NotExecutable, "chmod"},
		o + "/datadis-plugin-linked":       {OK, ""},
		o + "/datadis-plugin-good":         {Shadowed, w.bin},
		o + "/datadis-plugin-old":          {Incompatible, "protocol 7"},
		o + "/datadis-plugin-other":        {Failed, `"else"`},
		o + "/datadis-plugin-torn":         {Failed, "datadis-plugin-torn.json"},
		"such/folder":                      {Ignored, "no such folder"},
	} {
		c, ok := seen[file]
		if !ok || c.Status != want.status || !strings.Contains(c.Reason, want.reason) {
			t.Errorf("%s: %s %q, want %s %q", file, c.Status, c.Reason, want.status, want.reason)
		}
		delete(seen, file)
	}
	for file := range seen {
		t.Errorf("%s is listed too", file)
	}
}

// A binary with a manifest is not started; one without is, unless that is
// forbidden.
func TestListingStartsOnlyWhatHasNoManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.add("hang") // would cost the whole time-out
	w.describe(path)
	w.add("good")
	began := time.Now()
	for _, c := range New(w.config).Candidates(t.Context()) {
		if c.Status != OK || c.Manifest != (c.Name == "hang") || c.Description.Version != "1.2.3" {
			t.Errorf("%+v", c)
		}
	}
	if took := time.Since(began); took >= 9*time.Second {
		t.Errorf("took %v: the plugin with the manifest was started", took)
	}
	w.lock("hang", "good")
	for _, c := range New(w.config).Candidates(t.Context()) {
		if want := map[string]Status{"hang": OK, "good": NoManifest}[c.Name]; c.Status != want {
			t.Errorf("locked: %s is %s", c.Name, c.Status)
		}
	}
}

func TestABinaryIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "exit")
	h := New(w.config)
	first := h.Candidates(t.Context())[0].Reason
	path := filepath.Join(w.bin, plugin.FilePrefix+"exit")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// The same file, as far as can be seen, is not started again …
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.write(w.bin, plugin.FilePrefix+"exit", "#!")
	for _, err := range []error{os.Chmod(path, 0o755), os.Truncate(path, info.Size()), os.Chtimes(path, info.ModTime(), info.ModTime())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if again := h.Candidates(t.Context())[0].Reason; again != first {
		t.Errorf("asked again: %s", again)
	}
	// … and a newer one is.
	now := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	if again := h.Candidates(t.Context())[0].Reason; again == first {
		t.Error("not asked again")
	}
}

func TestAManifestThatIsNotTrueIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.add("good")
	w.describe(path)
	text, err := os.ReadFile(path + ".json")
	if err != nil {
		t.Fatal(err)
	}
	w.write(w.bin, "datadis-plugin-good.json", strings.Replace(string(text), "An actor.", "A singer.", 1))
	_, err = w.tryStart("good", nil)
	if err == nil || !strings.Contains(err.Error(), "summary") || !strings.Contains(err.Error(), "manifest -w") {
		t.Error(err)
	}
}

func TestProblemsOfInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good", "exit")
	for name, text := range map[string]string{
		"config_good.json":    `{"word": "x"}`,
		"config_north.json":   `{"plugin": "good", "word": {"env": "WORD"}, "token": {"file": "token.txt"}}`,
		"config_typo.json":    `{"plugin": "good", "wrod": "x", "token": 7, "many": [{"token": "a"}, {"tokn": "b"}]}`,
		"config_torn.json":    `{"plugin": "good"`,
		"config_two.json":     `{"plugin": "good"} {}`,
		"config_list.json":    `[]`,
		"config_null.json":    `null`,
		"config_path.json":    `{"plugin": "../good"}`,
		"config_lost.json":    `{"plugin": "nowhere"}`,
		"config_down.json":    `{"plugin": "exit"}`,
		"config_BIG.json":     `{"plugin": "good"}`,
		"config_unset.json":   `{"plugin": "good", "token": {"env": "NOWHERE"}}`,
		"config_nofile.json":  `{"plugin": "good", "token": {"file": "none.txt"}}`,
		"config_both.json":    `{"plugin": "good", "token": {"file": "token.txt", "env": "WORD"}}`,
		"something-else.json": `{`,
		"token.txt":           "s3cret\n",
	} {
		w.write(w.configs, name, text)
	}
	w.config.LookupEnv = func(name string) (string, bool) { return "deed", name == "WORD" }
	extra, err := NewInstance("users", "good", w.configs, map[string]any{"word": "w"})
	if err != nil {
		t.Fatal(err)
	}
	clash, err := NewInstance("north", "good", w.configs, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.config.Extra = []Instance{extra, clash}
	usable, problems := New(w.config).Instances(t.Context())

	var names []string
	for _, in := range usable {
		names = append(names, in.Name)
		if !in.Plays(plugin.SourceKind) || !in.Plays(plugin.HarmonizerKind) {
			t.Errorf("%s plays %v", in.Name, in.Kinds)
		}
	}
	if want := []string{"good", "north", "users"}; !slices.Equal(names, want) {
		t.Errorf("usable are %v, not %v", names, want)
	}
	told := make([]string, 0, len(problems))
	for _, p := range problems {
		told = append(told, p.Instance+" "+p.Path+" "+p.Message)
	}
	for _, want := range []string{
		"typo /wrod is not known; known are fail, many, token, word",
		"typo /token want string, have number",
		"typo /many/1/tokn is not known",
		"torn  not a JSON object",
		"two  something follows",
		"list  not a JSON object",
		"null  not a JSON object",
		"path  /plugin: want the name of a plugin",
		"lost  there is no datadis-plugin-nowhere in",
		"down  no handshake; it ended: exit status 3",
		"BIG  an instance's name has only",
		"unset /token the environment has no NOWHERE",
		"nofile /token open " + w.configs,
		"both /token want a string, {",
		"north  config_north.json is an instance of the same name",
	} {
		at := slices.IndexFunc(told, func(line string) bool { return strings.HasPrefix(line, want) })
		if at < 0 {
			t.Errorf("nobody tells %q", want)
			continue
		}
		told = slices.Delete(told, at, at+1)
	}
	for _, line := range told {
		t.Errorf("told too: %s", line)
	}
}

func TestSecretsTravelApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.write(w.configs, "token.txt", "s3cret\n")
	config := map[string]any{
		"word":  map[string]any{"env": "WORD"},
		"token": map[string]any{"file": "token.txt"},
		"many":  []any{map[string]any{"token": "one"}, map[string]any{"token": map[string]any{"env": "WORD"}}},
	}
	w.config.LookupEnv = func(name string) (string, bool) { return "deed", name == "WORD" }
	in, err := NewInstance("i", "good", w.configs, config)
	if err != nil {
		t.Fatal(err)
	}
	h := New(w.config)
	h.examine(&in, h.Candidates(t.Context()))
	settings, problems := h.settings(&in)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if text := string(settings.JSON); text != `{"many":[{},{}],"word":"deed"}` {
		t.Error(text)
	}
	if shown := fmt.Sprint(settings); strings.Contains(shown, "s3cret") {
		t.Error(shown)
	}
	r, err := h.Start(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if route := r.Route(); route.Topic != "datadis.i" || route.Tables[0] != "deed" {
		t.Errorf("%+v", route)
	}
	tokens := ""
	err = r.ListGrants(t.Context(), func(g sdk.Grant) error {
		tokens = g.Password.Reveal()
		return nil
	})
	if err != nil || tokens != "s3cret,one,deed" {
		t.Error(tokens, err)
	}
}

func TestWhatThePluginItselfRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	if _, err := w.tryStart("good", map[string]any{"word": "odd"}); err == nil || !strings.Contains(err.Error(), "/word: is odd") {
		t.Error(err)
	}
	if _, err := w.tryStart("good", map[string]any{"fail": true}); err == nil || !strings.Contains(err.Error(), "the database says no") {
		t.Error(err)
	}
	if _, err := w.tryStart("nowhere", nil); err == nil || !strings.Contains(err.Error(), "no-plugin") {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestOnlyTheWantedRoleIsSetUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	in, err := NewInstance("i", "good", w.configs, map[string]any{"fail": true}) // as a source
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(w.config).Start(t.Context(), in, plugin.HarmonizerKind)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Plays(plugin.SourceKind) || !r.Plays(plugin.HarmonizerKind) {
		t.Error("it plays the wrong role")
	}
}
