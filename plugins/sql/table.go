package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/datadis-engine/datadis/plugins/internal/users"
)

// kind is what the cells of a column hold.
type kind int

const (
	otherKind   kind = iota
	textKind         // any text
	boolKind         // t or f
	integerKind      // digits
	bitKind          // the bytes of a number
	arrayKind        // a PostgreSQL array of texts
	jsonKind         // JSON
)

// column is a column of the query's result.
type column struct {
	name string
	kind kind
	is   string // the type as the database calls it
}

// keyColumn may name each row in logs and errors, instead of its number.
const keyColumn = "key"

// fit is what a column may hold, and how that is said.
type fit struct {
	kinds []kind
	want  string
}

var (
	textFit = fit{[]kind{textKind}, "text"}
	listFit = fit{[]kind{arrayKind, jsonKind, textKind}, "an array of texts, JSON, or text with ; between entries"}
	fits    = map[string]fit{
		"username": textFit, "password": textFit, "authorized_nifs": listFit, "cups": listFit,
		"self":    {[]kind{boolKind, integerKind, bitKind, textKind}, "a boolean, an integer or text"},
		keyColumn: {[]kind{textKind, integerKind, otherKind}, "text or a number"},
	}
	knownColumns = append(slices.Clone(users.Columns), keyColumn)
)

// columnError says what is wrong with the columns of a query, a sentence each.
type columnError struct{ messages []string }

// Error implements error.
func (e *columnError) Error() string { return "the query " + strings.Join(e.messages, "; it ") }

func (e *columnError) report(format string, args ...any) {
	e.messages = append(e.messages, fmt.Sprintf(format, args...))
}

// table understands the rows of a query's result.
type table struct {
	columns []column
	at      map[string]int
	rows    int
	arrays  *pgtype.Map // reads arrays; made for the first
}

// newTable makes sure that the columns are those of a table of users.
func newTable(columns []column) (*table, error) {
	t := &table{columns: columns, at: make(map[string]int, len(columns))}
	wrong := &columnError{}
	for i, c := range columns {
		name := strings.ToLower(strings.TrimSpace(c.name))
		_, twice := t.at[name]
		t.at[name] = i
		switch fit, ok := fits[name]; {
		case !ok:
			wrong.report("yields the unknown column %q; known are %s; rename it with AS, or leave it out", c.name, strings.Join(knownColumns, ", "))
		case twice:
			wrong.report("yields the column %s twice", name)
		case !slices.Contains(fit.kinds, c.kind):
			wrong.report("yields %s as %s; it must be %s: write a CAST", name, c.is, fit.want)
		}
	}
	for _, name := range users.Columns[:2] {
		if _, ok := t.at[name]; !ok {
			wrong.report("yields no column %s; name one with AS %s", name, name)
		}
	}
	if len(wrong.messages) > 0 {
		return nil, queryError(wrong)
	}
	return t, nil
}

// cells takes a row apart. The place names it in errors, which quote no cell.
func (t *table) cells(values [][]byte) (string, users.Cells, error) {
	t.rows++
	place := t.place(values)
	var errs [3]error
	c := users.Cells{Username: string(t.value(values, "username")), Password: string(t.value(values, "password"))}
	c.NIFs, errs[0] = t.list(values, "authorized_nifs")
	c.CUPS, errs[1] = t.list(values, "cups")
	c.Self, errs[2] = t.self(values)
	return place, c, users.Placed(place, errs[:]...)
}

// longestKey is how long a row's key may be for its row to be called by it.
const longestKey = 64

// place is what the row is called: by its key if it has a usable one, else by
// its number.
func (t *table) place(values [][]byte) string {
	key := strings.TrimSpace(string(t.value(values, keyColumn)))
	if key == "" || len(key) > longestKey || strings.ContainsFunc(key, notPrintable) {
		return fmt.Sprintf("row %d", t.rows)
	}
	return "key " + key
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// value is the cell of a column; nil if it is NULL, or there is no such column.
func (t *table) value(values [][]byte, name string) []byte {
	if i, ok := t.at[name]; ok {
		return values[i]
	}
	return nil
}

// list reads a list, as whatever the column holds.
func (t *table) list(values [][]byte, name string) ([]string, error) {
	value := t.value(values, name)
	if value == nil {
		return nil, nil
	}
	switch t.columns[t.at[name]].kind {
	case arrayKind:
		return t.array(name, value)
	case jsonKind:
		return jsonList(name, value)
	}
	text := strings.TrimSpace(string(value))
	if strings.HasPrefix(text, "[") { // MariaDB's JSON is a text
		return jsonList(name, []byte(text))
	}
	return users.SplitCell(text), nil
}

// array reads an array as PostgreSQL writes it; a NULL within it is nothing.
func (t *table) array(name string, value []byte) ([]string, error) {
	if t.arrays == nil {
		t.arrays = pgtype.NewMap()
	}
	var entries []pgtype.Text
	if err := t.arrays.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, value, &entries); err != nil {
		return nil, fmt.Errorf("%s is an array that cannot be read", name)
	}
	var list []string
	for _, entry := range entries {
		if entry.Valid {
			list = append(list, entry.String)
		}
	}
	return list, nil
}

// jsonList reads an array of texts, one text with semicolons, or null.
func jsonList(name string, value []byte) ([]string, error) {
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return list, nil
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return users.SplitCell(text), nil
	}
	return nil, fmt.Errorf("%s is not a JSON array of texts", name)
}

// self reads whether own supplies are wanted, into a word that users knows.
func (t *table) self(values [][]byte) (string, error) {
	value := t.value(values, "self")
	if value == nil {
		return "", nil
	}
	word := string(value)
	switch t.columns[t.at["self"]].kind {
	case boolKind:
		full, ok := map[string]string{"t": "true", "f": "false"}[word]
		if !ok {
			return "", errors.New("self is neither true nor false")
		}
		return full, nil
	case bitKind:
		return map[bool]string{true: "1", false: "0"}[strings.Trim(word, "\x00") != ""], nil
	}
	return word, nil
}
