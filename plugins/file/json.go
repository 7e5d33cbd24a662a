package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/plugins/internal/users"
)

// readJSON reads an array of objects, one at a time. An error stands for one
// object; where the file is no JSON any more, it is the last.
func readJSON(in *bufio.Reader) iter.Seq2[users.Row, error] {
	return func(yield func(users.Row, error) bool) {
		count := &lineCounter{in: in, line: 1}
		d := json.NewDecoder(count)
		if err := openArray(d); err != nil {
			yield(users.Row{}, err)
			return
		}
		item := 0
		for d.More() {
			item++
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				yield(users.Row{}, broken(err, count.at(d.InputOffset())))
				return
			}
			// The offset is the object's end; its first line is what people look for.
			place := fmt.Sprintf("item %d (line %d)", item, count.at(d.InputOffset())-bytes.Count(raw, []byte("\n")))
			if !yield(objectRow(raw, place)) {
				return
			}
		}
		_, err := d.Token() // the closing bracket
		if err == nil {
			if _, err = d.Token(); errors.Is(err, io.EOF) {
				return
			}
		}
		yield(users.Row{}, broken(err, count.at(d.InputOffset())))
	}
}

// openArray reads the opening bracket.
func openArray(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil || token != json.Delim('[') {
		return errors.New("must be a JSON array of objects")
	}
	return nil
}

// broken says where the file stops being JSON. The decoder's own text is left
// out, because it quotes the file.
func broken(err error, line int) error {
	var syntax *json.SyntaxError
	if err == nil || errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("line %d: from here on this is not valid JSON: a comma, quote or bracket is missing or one too many", line)
	}
	return fmt.Errorf("line %d: reading the file: %w", line, err)
}

// objectRow understands one object.
func objectRow(raw json.RawMessage, place string) (users.Row, error) {
	c, errs := objectCells(raw)
	if err := users.Placed(place, errs...); err != nil {
		return users.Row{}, err
	}
	return c.Row(place)
}

// objectCells brings an object's values into the form that a CSV row has.
func objectCells(raw json.RawMessage) (users.Cells, []error) {
	if !utf8.Valid(raw) {
		return users.Cells{}, []error{errors.New("is not UTF-8; save the file as UTF-8")}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return users.Cells{}, []error{errors.New(`is no object such as {"username": "…", "password": "…"}`)}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(users.Columns, name) {
			return users.Cells{}, []error{fmt.Errorf("has the unknown key %q; known are %s", name, strings.Join(users.Columns, ", "))}
		}
	}
	var c users.Cells
	var errs [5]error
	c.Username, errs[0] = textValue("username", fields["username"])
	c.Password, errs[1] = textValue("password", fields["password"])
	c.NIFs, errs[2] = listValue("authorized_nifs", fields["authorized_nifs"])
	c.CUPS, errs[3] = listValue("cups", fields["cups"])
	c.Self, errs[4] = boolValue(fields["self"])
	return c, errs[:]
}

// textValue reads a text; null and nothing are the empty one.
func textValue(name string, raw json.RawMessage) (string, error) {
	var text string
	if len(raw) == 0 {
		return "", nil
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("%s must be a text between quotes", name)
	}
	// The decoder puts U+FFFD where half of a surrogate pair is escaped.
	if strings.ContainsRune(text, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) && !escapesReplacement(raw) {
		return "", fmt.Errorf("%s has an escape that is no character", name)
	}
	return text, nil
}

// escapesReplacement tells whether U+FFFD itself is written as an escape.
func escapesReplacement(raw json.RawMessage) bool {
	return bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`))
}

// listValue reads an array of texts, or one text with semicolons.
func listValue(name string, raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] != '[' {
		text, err := textValue(name, raw)
		if err != nil {
			return nil, fmt.Errorf("%s must be an array of texts, or one text with ; between entries", name)
		}
		return users.SplitCell(text), nil
	}
	var entries []string
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("%s must be an array of texts, or one text with ; between entries", name)
	}
	return entries, nil
}

// boolValue reads true, false, 1, 0, or a text that says so.
func boolValue(raw json.RawMessage) (string, error) {
	switch text := string(raw); text {
	case "true", "false", "1", "0":
		return text, nil
	case "", "null":
		return "", nil
	}
	text, err := textValue("self", raw)
	if err != nil {
		return "", errors.New("self must be true or false")
	}
	return text, nil
}

// lineCounter knows on which line an offset of what it read lies. It keeps only
// the line ends that nobody asked beyond.
type lineCounter struct {
	in     io.Reader
	offset int64
	ends   []int64
	line   int
}

// Read implements io.Reader.
func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.offset+int64(i))
		}
	}
	c.offset += int64(n)
	return n, err
}

// at is the line of an offset. Offsets must not go back.
func (c *lineCounter) at(offset int64) int {
	passed := 0
	for passed < len(c.ends) && c.ends[passed] < offset {
		passed++
	}
	c.ends = append(c.ends[:0], c.ends[passed:]...)
	c.line += passed
	return c.line
}
