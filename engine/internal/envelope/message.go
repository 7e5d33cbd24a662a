package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Message is a Kafka message before it is sent, or after it was read.
type Message struct {
	Topic     string
	Partition *int32 // nil: the key decides
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header is one header of a message.
type Header struct{ Name, Value string }

// Header is the value of the first header of that name, "" if there is none.
func (m *Message) Header(name string) string {
	for _, h := range m.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// The headers of the engine's messages.
const (
	HeaderSchema   = "dd-schema"   // version of the message's form, Schema
	HeaderRun      = "dd-run"      // the run that published it
	HeaderSource   = "dd-source"   // for whom; static data: all of them, comma between
	HeaderChunk    = "dd-chunk"    // chunk id
	HeaderSeries   = "dd-series"   // property and resolution, "Power/P1M"
	HeaderPart     = "dd-part"     // "1/3": the first of three parts
	HeaderRows     = "dd-rows"     // "0/2976": index of the part's first reading, readings of the chunk
	HeaderHash     = "dd-hash"     // 16 hex digits, of the content
	HeaderRevision = "dd-revision" // of the chunk, from 1
	HeaderMonth    = "dd-month"    // "2026-03", in Madrid
	HeaderFetched  = "dd-fetched"  // when Datadis answered, RFC 3339, UTC
	HeaderTrace    = "traceparent" // W3C trace context
)

// Schema is the version of the messages' form.
const Schema = "1"

// MaxValue is what the value of a time-series message stays under, in bytes.
const MaxValue = 256 << 10

// Errors that a reader decides on.
var (
	// ErrSchema: a form that this engine does not know, newer presumably.
	ErrSchema = errors.New("unknown schema version")
	// ErrMalformed: no message of the kind that was expected. Reading it again
	// gives the same.
	ErrMalformed = errors.New("malformed message")
	// ErrFinal: the older end marker, to be passed over.
	ErrFinal = errors.New("the end marker of a run")
)

// malformed says what is wrong with a message; it never quotes its content,
// which is personal data.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// checkSchema tells whether the message has a form that this package reads.
func checkSchema(m *Message) error {
	switch v := m.Header(HeaderSchema); v {
	case Schema:
		return nil
	case "":
		return malformed("no header %s", HeaderSchema)
	default:
		return fmt.Errorf("%w %.20q", ErrSchema, v)
	}
}

// hashText is a hash as headers and keys show it.
func hashText(hash uint64) string { return fmt.Sprintf("%016x", hash) }

func parseHash(text string) (uint64, error) {
	hash, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		return 0, malformed("header %s has not 16 hex digits", HeaderHash)
	}
	return hash, nil
}

// kwargs are what readers are told about all rows of a message.
type kwargs struct {
	Collection string   `json:"collection_type"`
	Property   string   `json:"property,omitempty"`
	Freq       string   `json:"freq,omitempty"`
	Sources    []string `json:"dblist"`
}

// The kinds of messages, as kwargs name them.
const (
	timeSeries = "timeseries"
	supplies   = "supplies"
	finalMark  = "FINAL_MESSAGE"
)

// closing is all of an envelope that follows its data.
func closing(tables []string, rowKeys [][]string, kw kwargs) ([]byte, error) {
	text, err := json.Marshal(struct {
		Tables  []string   `json:"tables"`
		RowKeys [][]string `json:"row_keys"`
		Kwargs  kwargs     `json:"kwargs"`
	}{nonNil(tables), nonNil(rowKeys), kw})
	if err != nil {
		return nil, fmt.Errorf("encode the end of an envelope: %w", err)
	}
	text[0] = ',' // in place of the brace: the data stands before it
	return text, nil
}

// nonNil makes JSON show an empty list as one, not as null.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
