package ledger

import (
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

func TestStatics(t *testing.T) {
	t.Parallel()
	m := newMemory()
	w := newWorld(t, m)
	fresh := func(cups sdk.CUPS, account string, sources ...string) bool {
		t.Helper()
		ok, err := NewStatics(m, w.config).Fresh(t.Context(), cups, account, sources)
		must(t, err)
		return ok
	}
	if fresh(testCUPS, "a1", "north") {
		t.Error("fresh before anything was published")
	}
	must(t, NewStatics(m, w.config).Published(t.Context(), testCUPS, "a1", []string{"north", "south"}))
	for name, c := range map[string]struct {
		cups    sdk.CUPS
		account string
		sources []string
		want    bool
	}{
		"the same":             {testCUPS, "a1", []string{"north", "south"}, true},
		"fewer sources":        {"es0031000000000001bj", "a1", []string{"south"}, true},
		"a source came later":  {testCUPS, "a1", []string{"north", "west"}, false},
		"through another user": {testCUPS, "a2", []string{"north"}, false},
		"another CUPS":         {"ES0021000000000001RK", "a1", []string{"north"}, false},
	} {
		if got := fresh(c.cups, c.account, c.sources...); got != c.want {
			t.Errorf("%s: fresh %t, want %t", name, got, c.want)
		}
	}
	w.Add(24 * time.Hour)
	if fresh(testCUPS, "a1", "north") {
		t.Error("fresh a day later")
	}
	// Neither is taken for a book.
	must(t, w.Each(t.Context(), func(b *Book) error {
		t.Errorf("there is a book of %s", b.CUPS())
		return nil
	}))
}
