package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datadis-engine/datadis/sdk"
)

// Supply is a supply, as one account sees it, as a message for the static
// topic. Its data are the fields of s.Raw as they are, and the engine's own:
// nif, authorized_nif (null for own supplies) and measurements, pairs of
// property and resolution.
func Supply(s *sdk.Supply, topic string) (Message, error) {
	data, err := supplyData(s)
	if err != nil {
		return Message{}, fmt.Errorf("supply %s as a message: %w", s.CUPS.Masked(), err)
	}
	hash := contentHash(data)
	end, err := closing([]string{""}, [][]string{{"cups"}}, kwargs{Collection: supplies, Sources: nonNil(s.Sources)})
	if err != nil {
		return Message{}, err
	}
	value := slices.Concat([]byte(`{"data":`), data, end)
	return Message{
		Topic: topic,
		Key:   []byte(s.CUPS),
		Value: value,
		Headers: []Header{
			{HeaderSchema, Schema},
			{HeaderRun, s.Run},
			{HeaderSource, strings.Join(s.Sources, ",")},
			{HeaderHash, hashText(hash)},
			{HeaderFetched, s.FetchedAt.UTC().Format(time.RFC3339Nano)},
		},
	}, nil
}

// ownFields are the fields of a supply's data that the engine adds.
var ownFields = []string{`"nif"`, `"authorized_nif"`, `"measurements"`}

// supplyData is the raw object with the engine's fields in front of its closing
// brace.
func supplyData(s *sdk.Supply) ([]byte, error) {
	if s.CUPS == "" || !utf8.ValidString(string(s.CUPS)) {
		return nil, errors.New("it has no CUPS")
	}
	data, err := withoutFields(s.Raw, ownFields)
	if err != nil {
		return nil, err
	}
	data = data[:len(data)-1] // the brace
	if len(data) > 1 {
		data = append(data, ',')
	}
	data = appendText(append(data, `"nif":`...), string(s.Username))
	data = append(data, `,"authorized_nif":`...)
	if s.AuthorizedNIF == "" {
		data = append(data, "null"...)
	} else {
		data = appendText(data, string(s.AuthorizedNIF))
	}
	data = append(data, `,"measurements":[`...)
	for i, series := range s.Measurements {
		if i > 0 {
			data = append(data, ',')
		}
		data = appendText(append(data, '['), string(series.Property))
		data = appendText(append(data, ','), string(series.Resolution))
		data = append(data, ']')
	}
	return append(data, "]}"...), nil
}

// withoutFields is a JSON object without white space and without the fields of
// the given quoted names; the others keep their order and their text.
func withoutFields(object []byte, names []string) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, errors.New("its fields are no JSON object")
	}
	to := []byte{'{'}
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			break
		}
		skip := slices.Contains(names, string(name))
		if !skip {
			if len(to) > 1 {
				to = append(to, ',')
			}
			to = append(append(to, name...), ':')
		}
		value, err := d.ReadValue()
		if err != nil || value.Compact() != nil {
			break
		}
		if !skip {
			to = append(to, value...)
		}
	}
	if token, err := d.ReadToken(); err != nil || token.Kind() != '}' {
		return nil, errors.New("its fields are no JSON object")
	}
	return append(to, '}'), nil
}

// contentHash is a hash for headers and keys; equal content, equal hash.
func contentHash(content []byte) uint64 {
	sum := sha256.Sum256(content)
	return binary.BigEndian.Uint64(sum[:])
}
