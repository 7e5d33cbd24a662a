package ledger

import (
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/badinput"
	"github.com/datadis-engine/datadis/sdk"
)

// What is said about entries of the ledger that cannot be read.
func TestBadInput(t *testing.T) {
	t.Parallel()
	var cases []badinput.Case
	for _, c := range []struct{ name, field, value string }{
		{"a chunk of a newer engine", "h2607", "\xf0\x00\x00"},
		{"a chunk that is cut off", "h2607", "\x11\x00"},
		{"a chunk that is a text", "h2607", "complete"},
		{"an empty chunk", "h2607", ""},
		{"a query of a newer engine", "?abcdefgh", "\xf1\x01\x00\x00\x00\x00"},
		{"a query that is cut off", "?abcdefgh", "\x11"},
	} {
		w := newWorld(t, newMemory())
		must(t, w.store.Put(t.Context(), keyPrefix+string(testCUPS.Key()), map[string][]byte{c.field: []byte(c.value)}))
		_, err := w.Open(t.Context(), testCUPS)
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		cases = append(cases, badinput.Case{Name: c.name, Says: err.Error()})
	}
	for _, c := range []struct {
		name string
		cups sdk.CUPS
	}{{"a CUPS of nothing", ""}, {"a CUPS with a line break", "ES0031000000000001\nBJ0F"}, {"a CUPS that leads elsewhere", "../../etc/pass\x00wd"}} {
		_, err := newWorld(t, newMemory()).Open(t.Context(), c.cups)
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		cases = append(cases, badinput.Case{Name: c.name, Says: err.Error()})
	}
	badinput.Golden(t, *update, cases, string(testCUPS.Key()))
}
