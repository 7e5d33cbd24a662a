package route

import (
	"slices"
	"testing"
)

// TestRoute fills in the defaults, and leaves what is configured.
func TestRoute(t *testing.T) {
	t.Parallel()
	got := Config{}.Route("north")
	if got.Topic != "datadis.north" || !slices.Equal(got.Tables, []string{DefaultTable}) ||
		len(got.RowKeys) != 1 || !slices.Equal(got.RowKeys[0], []string{"cups", "timestamp"}) {
		t.Errorf("got %+v", got)
	}
	got = Config{Topic: "t", Tables: []string{"a", "b"}, Extra: map[string]string{"x": "{cups}"}}.Route("north")
	if got.Topic != "t" || len(got.RowKeys) != 2 || got.Extra["x"] != "{cups}" {
		t.Errorf("got %+v", got)
	}
}

// TestCheck finds all problems at once, each with its path.
func TestCheck(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range (Config{
		Topic: "no topic", Tables: []string{"a_{freq}", "b_{table}"}, RowKeys: [][]string{{}},
		Extra: map[string]string{"a/b": "{nif}", "ok": "{cups}{prop}{freq}"},
	}).Check("north") {
		got = append(got, p.Path)
	}
	if want := []string{"/topic", "/tables/1", "/row_keys", "/row_keys/0", "/extra/a~1b"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if problems := (Config{}).Check("north"); len(problems) > 0 {
		t.Errorf("nothing configured: got %v", problems)
	}
}
