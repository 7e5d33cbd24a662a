package datadis

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/encoding/charmap"
	"unicode/utf8"
)

// maxBody is how much of an answer is read at most. Ten months of one supply
// are about 2 MB.
const maxBody = 64 << 20

var errTooLarge = errors.New("the answer is too large")

// readBody reads an answer of the given length, -1 if it is not known, and
// inflates it if it is compressed in fact, whatever its header says. What comes
// out is no longer than limit.
func readBody(from io.Reader, length, limit int64) ([]byte, error) {
	body, err := readBounded(from, length, limit)
	if err != nil || !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, err
	}
	inflate, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("inflate the answer: %w", err)
	}
	body, err = readBounded(inflate, -1, limit)
	if err != nil {
		return nil, fmt.Errorf("inflate the answer: %w", err)
	}
	return body, nil
}

// readBounded reads all of a body that is no longer than limit.
func readBounded(from io.Reader, length, limit int64) ([]byte, error) {
	if length > limit {
		return nil, errTooLarge
	}
	var body bytes.Buffer
	body.Grow(int(max(length, 0)) + bytes.MinRead)
	_, err := body.ReadFrom(io.LimitReader(from, limit+1))
	if err == nil && int64(body.Len()) > limit {
		err = errTooLarge
	}
	return body.Bytes(), err
}

// errIncomplete says that a body stops in the middle.
var errIncomplete = errors.New("the answer is cut off")

// errNotJSON says that a body is something else: a web page, a text, nothing.
var errNotJSON = errors.New("the answer is no JSON")

// checkComplete tells whether a body is plausibly one whole JSON document. It
// compares the brackets, which costs next to nothing; only when they do not
// match, as with a bracket inside an address, is the body really parsed.
func checkComplete(body []byte) error {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, utf8BOM))
	if len(body) == 0 || body[0] != '{' && body[0] != '[' {
		return errNotJSON
	}
	last := body[len(body)-1]
	matched := body[0] == '{' && last == '}' || body[0] == '[' && last == ']'
	if matched && balanced(body, '{', '}') && balanced(body, '[', ']') && bytes.Count(body, []byte{'"'})%2 == 0 {
		return nil
	}
	if !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return errIncomplete
	}
	return nil
}

func balanced(body []byte, opening, closing byte) bool {
	return bytes.Count(body, []byte{opening}) == bytes.Count(body, []byte{closing})
}

var utf8BOM = []byte("\xef\xbb\xbf")

// toUTF8 is the body as UTF-8. Datadis sends UTF-8 under any label; what is not
// is taken for Windows-1252.
func toUTF8(body []byte) []byte {
	body = bytes.TrimPrefix(body, utf8BOM)
	if utf8.Valid(body) {
		return body
	}
	converted, err := charmap.Windows1252.NewDecoder().Bytes(body)
	if err != nil {
		return body // every byte decodes; this cannot happen
	}
	return converted
}
