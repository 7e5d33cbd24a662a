package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/plugins/internal/users"
)

// maxLineBytes bounds the memory that one line takes.
const maxLineBytes = 1 << 20

// readCSV reads users line by line. An error stands for one line, which it
// names; the lines after it are read all the same, unless there is no header.
//
// It does not use encoding/csv, in which a quote that is not closed swallows
// the users after it, and which alters line breaks: here a line is a row.
func readCSV(in *bufio.Reader) iter.Seq2[users.Row, error] {
	return func(yield func(users.Row, error) bool) {
		var h *header
		for line, err := range lines(in) {
			if err == nil && isBlank(line.text) {
				continue
			}
			if err == nil && h == nil {
				if h, err = parseHeader(line.text); err == nil {
					continue
				}
			}
			var r users.Row
			if err == nil {
				r, err = h.row(line)
			} else {
				err = fmt.Errorf("%s: %w", line.place(), err)
			}
			if !yield(r, err) || h == nil {
				return
			}
		}
		if h == nil { // and no line was bad: that would have ended it above
			yield(users.Row{}, errors.New("is empty; its first line must be "+strings.Join(users.Columns, ",")))
		}
	}
}

// line is a line of the file without its end.
type line struct {
	number int
	text   string
}

func (l line) place() string { return fmt.Sprintf("line %d", l.number) }

// lines yields the lines of a file, also the last one if it has no end. A line
// that is too long, or no UTF-8, comes with an error.
func lines(in *bufio.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		var text []byte
		tooLong := false
		for number := 1; ; {
			part, err := in.ReadSlice('\n')
			if tooLong = tooLong || len(text)+len(part) > maxLineBytes; !tooLong {
				text = append(text, part...)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(line{number: number}, fmt.Errorf("reading the file: %w", err))
				return
			}
			if len(text) > 0 || tooLong {
				if !yield(endLine(number, text, tooLong)) {
					return
				}
			}
			if err != nil {
				return
			}
			text, tooLong, number = text[:0], false, number+1
		}
	}
}

// endLine takes the end off a line and looks at its bytes.
func endLine(number int, text []byte, tooLong bool) (line, error) {
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	l := line{number: number, text: string(text)}
	switch {
	case tooLong:
		return l, fmt.Errorf("is longer than %d KiB", maxLineBytes>>10)
	case !utf8.Valid(text):
		return l, errors.New("is not UTF-8; save the file as \"CSV UTF-8\"")
	case bytes.IndexByte(text, 0) >= 0:
		return l, errors.New("contains a zero byte; save the file as \"CSV UTF-8\"")
	}
	return l, nil
}

// isBlank tells whether a line has no cell with anything in it, as spreadsheets
// leave them at the end.
func isBlank(text string) bool { return strings.Trim(text, ", \t") == "" }

// header says which column stands where.
type header struct {
	names []string
	at    map[string]int
}

// parseHeader reads the first line. It quotes a name only where the line surely
// is a header: a file without one starts with a password.
func parseHeader(text string) (*header, error) {
	names, err := splitLine(text)
	if err != nil {
		return nil, err
	}
	h := &header{at: make(map[string]int, len(names))}
	var twice, unknown []string
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		h.names = append(h.names, name)
		if _, again := h.at[name]; again {
			twice = append(twice, name)
		}
		if !slices.Contains(users.Columns, name) {
			unknown = append(unknown, name)
		}
		h.at[name] = i
	}
	_, username := h.at["username"]
	_, password := h.at["password"]
	switch {
	case !username || !password:
		return nil, noHeader(text)
	case len(twice) > 0:
		return nil, fmt.Errorf("the header has %q twice", twice[0])
	case len(unknown) > 0:
		return nil, fmt.Errorf("the header has unknown columns %q; known are %s", unknown, strings.Join(users.Columns, ", "))
	}
	return h, nil
}

// noHeader says what is wrong with a first line that is no header.
func noHeader(text string) error {
	want := strings.Join(users.Columns, ",")
	for separator, name := range map[string]string{";": "semicolons", "\t": "tabs", "|": "bars"} {
		names := strings.Split(strings.ToLower(text), separator)
		for i := range names {
			names[i] = strings.Trim(names[i], ` "`)
		}
		if slices.Contains(names, "username") && slices.Contains(names, "password") {
			return fmt.Errorf("the columns are separated by %s; save the file with commas between columns (a ; separates entries inside a cell)", name)
		}
	}
	return fmt.Errorf("the first line must be the header, with at least username and password: %s", want)
}

// row understands one line.
func (h *header) row(l line) (users.Row, error) {
	fields, err := splitLine(l.text)
	if err == nil && len(fields) != len(h.names) {
		err = fmt.Errorf("has %d cells where the header has %d; an empty cell needs its comma too, and a cell with a comma in it needs quotes around it",
			len(fields), len(h.names))
	}
	if err != nil {
		return users.Row{}, fmt.Errorf("%s: %w", l.place(), err)
	}
	cell := func(column string) string {
		if i, ok := h.at[column]; ok {
			return fields[i]
		}
		return ""
	}
	return users.Cells{
		Username: cell("username"),
		Password: cell("password"),
		NIFs:     users.SplitCell(cell("authorized_nifs")),
		CUPS:     users.SplitCell(cell("cups")),
		Self:     cell("self"),
	}.Row(l.place())
}

// splitLine splits a line at its commas. A cell that starts with a quote ends
// with one, and has each quote in it doubled; in other cells a quote is a
// character like any other.
func splitLine(text string) ([]string, error) {
	var fields []string
	for {
		field, rest, more, err := nextField(text)
		if err != nil {
			return nil, fmt.Errorf("cell %d %w", len(fields)+1, err)
		}
		fields = append(fields, field)
		if !more {
			return fields, nil
		}
		text = rest
	}
}

// nextField takes the first field off text, and tells whether another follows.
func nextField(text string) (field, rest string, more bool, err error) {
	if !strings.HasPrefix(text, `"`) {
		field, rest, more = strings.Cut(text, ",")
		if strings.HasPrefix(strings.TrimSpace(field), `"`) {
			return "", "", false, errors.New("has a space before its quote; remove it, or put quotes around the whole cell")
		}
		return field, rest, more, nil
	}
	var b strings.Builder
	for text = text[1:]; ; {
		part, after, closed := strings.Cut(text, `"`)
		b.WriteString(part)
		switch {
		case !closed:
			return "", "", false, errors.New(`starts with a quote that is not closed on this line; if the quote is meant, double it and put quotes around the cell`)
		case strings.HasPrefix(after, `"`):
			b.WriteByte('"')
			text = after[1:]
		case after == "" || after[0] == ',':
			return b.String(), strings.TrimPrefix(after, ","), after != "", nil
		default:
			return "", "", false, errors.New("goes on after its closing quote; inside a cell with quotes around it, double each quote")
		}
	}
}
