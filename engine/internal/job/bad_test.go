package job

import (
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/badinput"
)

// What is said about items of the queues that cannot be read. They are in the
// dead letters.
func TestBadInput(t *testing.T) {
	t.Parallel()
	var cases []badinput.Case
	for _, c := range []struct{ name, body string }{
		{"nothing", ""},
		{"no JSON", "hunter2"},
		{"cut off", `{"v":1,"item":{"acc`},
		{"a list", `[]`},
		{"of a newer engine", `{"v":2,"item":{}}`},
		{"without a version", `{"item":{}}`},
		{"without its content", `{"v":1}`},
		{"a text for its content", `{"v":1,"item":"hunter2"}`},
		{"a number for a CUPS", `{"v":1,"item":{"accesses":[{"cups":17}]}}`},
		{"no account that sees it", `{"v":1,"item":{"accesses":[]}}`},
	} {
		_, err := DecodeDevice([]byte(c.body))
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		cases = append(cases, badinput.Case{Name: "a supply: " + c.name, Says: err.Error()})
	}
	for _, c := range []struct{ name, body string }{
		{"no JSON", "hunter2"},
		{"of a newer engine", `{"v":2,"item":{}}`},
		{"a text for what is wanted", `{"v":1,"item":{"wants":"all"}}`},
	} {
		_, err := DecodeUser([]byte(c.body))
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		cases = append(cases, badinput.Case{Name: "an account: " + c.name, Says: err.Error()})
	}
	badinput.Golden(t, *update, cases, "hunter2")
}
