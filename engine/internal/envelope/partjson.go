package envelope

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datadis-engine/datadis/sdk"
)

// object reads an object; member gets each name, quoted as it stands, and must
// consume the value.
func (r *rowReader) object(member func(name []byte) error) error {
	if err := r.open('{'); err != nil {
		return err
	}
	for r.d.PeekKind() == '"' {
		name, err := r.d.ReadValue()
		if err != nil {
			return broken(err)
		}
		if err := member(name); err != nil {
			return err
		}
	}
	return r.token()
}

// array reads an array; entry must consume one value.
func (r *rowReader) array(entry func() error) error {
	if err := r.open('['); err != nil {
		return err
	}
	for r.d.PeekKind() != ']' && r.d.PeekKind() != 0 {
		if err := entry(); err != nil {
			return err
		}
	}
	return r.token()
}

func (r *rowReader) open(kind jsontext.Kind) error {
	if r.d.PeekKind() != kind {
		if err := r.token(); err != nil {
			return err
		}
		return malformed("something else where %s should open", kind)
	}
	return r.token()
}

func (r *rowReader) token() error {
	_, err := r.d.ReadToken()
	return broken(err)
}

func (r *rowReader) skip() error { return broken(r.d.SkipValue()) }

// broken hides what a syntax error quotes of the value: it is personal data.
func broken(err error) error {
	if err == nil {
		return nil
	}
	return malformed("the value is no JSON of the expected form")
}

// number reads an integer.
func (r *rowReader) number() (int64, error) {
	raw, err := r.d.ReadValue()
	if err != nil {
		return 0, broken(err)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, malformed("no integer where one should be")
	}
	return n, nil
}

// instant reads an integer that is a time with a year of four digits.
func (r *rowReader) instant() (int64, error) {
	n, err := r.number()
	if err == nil && (n < earliest || n > latest) {
		err = malformed("a time out of range")
	}
	return n, err
}

// value reads a number, or null, into entry i of a column.
func (r *rowReader) value(column *sdk.Column, i int) error {
	raw, err := r.d.ReadValue()
	if err != nil {
		return broken(err)
	}
	if raw[0] == 'n' {
		return nil
	}
	d, err := sdk.ParseDecimal([]byte(raw))
	if err != nil || !column.Set(i, d) {
		return malformed("no value that a column can hold")
	}
	return nil
}

// text reads a string, or null.
func (r *rowReader) text() (text string, null bool, err error) {
	token, err := r.d.ReadToken()
	switch {
	case err != nil:
		return "", false, broken(err)
	case token.Kind() == 'n':
		return "", true, nil
	case token.Kind() != '"':
		return "", false, malformed("no text where one should be")
	}
	return token.String(), false, nil
}

// end reads the end of the reading that starts at start, as its span.
func (r *rowReader) end() (int64, error) {
	text, _, err := r.text()
	if err != nil {
		return 0, err
	}
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, malformed("no time where one should be")
	}
	return end.Unix(), nil
}

// flags reads a list of names; null is an empty one.
func (r *rowReader) flags() (sdk.Flags, error) {
	if r.d.PeekKind() == 'n' {
		return 0, r.token()
	}
	var flags sdk.Flags
	err := r.array(func() error {
		name, _, err := r.text()
		flags |= sdk.ParseFlags(name)
		return err
	})
	return flags, err
}
