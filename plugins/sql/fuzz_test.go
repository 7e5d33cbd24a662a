package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/plugins/internal/users"
)

// FuzzCells reads any cells, in columns of any kind. Whatever is accepted is a
// user that can be asked for, with the password as it was; each problem is a
// sentence about the row.
func FuzzCells(f *testing.F) {
	for kind, cell := range []string{"x", "X1234567L;Y", "t", "1", "\x01", `{a,"b;c",NULL}`, `["a","b"]`} {
		f.Add("12345678Z", "pw", cell, cell, cell, "7", uint8(kind))
	}
	f.Fuzz(func(t *testing.T, username, password, nifs, self, cups, key string, k uint8) {
		of := kind(k % 7)
		tb := &table{at: map[string]int{}}
		for i, name := range []string{"username", "password", "authorized_nifs", "self", "cups", keyColumn} {
			tb.at[name] = i
			tb.columns = append(tb.columns, column{name: name, kind: of})
		}
		values := [][]byte{[]byte(username), []byte(password), []byte(nifs), []byte(self), []byte(cups), []byte(key)}
		place, cells, err := tb.cells(values)
		if err == nil {
			var r users.Row
			if r, err = cells.Row(place); err == nil {
				if r.Grant.Username == "" || r.Grant.Password.Reveal() != password || r.Grant.Key != place {
					t.Errorf("%q became %q, key %q", username, r.Grant.Username, r.Grant.Key)
				}
				return
			}
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, place+": ") || !utf8.ValidString(line) {
				t.Errorf("the problem is %q", line)
			}
		}
	})
}
