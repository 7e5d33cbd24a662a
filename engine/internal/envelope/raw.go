package envelope

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/datadis-engine/datadis/sdk"
)

// MaxBody is how large the body of a raw copy may be, inflated.
const MaxBody = 64 << 20

// The headers of raw copies, besides those of every message.
const (
	HeaderEndpoint    = "dd-endpoint"
	HeaderAPI         = "dd-api"
	HeaderCUPS        = "dd-cups"
	HeaderDistributor = "dd-distributor"
	HeaderAccount     = "dd-account"
	HeaderFrom        = "dd-from"
	HeaderTo          = "dd-to"
	HeaderMeasurement = "dd-measurement"
	HeaderPointType   = "dd-point-type"
	HeaderStatus      = "dd-status"
)

// Facts say what was asked of Datadis, and how it answered. They hold no NIF
// and no secret.
type Facts struct {
	Run         string
	Chunk       string // chunk id
	Endpoint    string // get-consumption-data, …
	API         string // v1 or v2
	CUPS        sdk.CUPS
	Distributor sdk.Distributor
	Account     string // account id, a keyed hash
	From, To    string // as asked
	Measurement string // measurementType as asked, "" if not
	PointType   int
	ReceivedAt  time.Time
	Status      int // of HTTP
}

// Archive makes raw copies of answers and opens them. It is for concurrent use;
// make one per process.
type Archive struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewArchive is an archive. Close it.
func NewArchive() (*Archive, error) {
	// Speed over size: answers repeat themselves so much that the fastest
	// level, too, leaves a few per cent of them.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxBody),
		zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &Archive{encoder, decoder}, nil
}

// Close frees the archive's memory.
func (a *Archive) Close() error {
	a.decoder.Close()
	if err := a.encoder.Close(); err != nil {
		return fmt.Errorf("close zstd: %w", err)
	}
	return nil
}

// RawKey is the key of the raw copy of an answer: the chunk's id and a hash of
// the body, so that a compacted topic keeps every different answer.
func RawKey(chunk string, body []byte) string { return chunk + "/" + hashText(contentHash(body)) }

// Raw is the raw copy of an answer: the body as it was received, as one zstd
// frame.
func (a *Archive) Raw(f Facts, body []byte, topic string) (Message, error) {
	if len(body) > MaxBody {
		return Message{}, fmt.Errorf("raw copy of chunk %s: %d bytes exceed %d", f.Chunk, len(body), MaxBody)
	}
	return Message{
		Topic: topic,
		Key:   []byte(RawKey(f.Chunk, body)),
		Value: a.encoder.EncodeAll(body, make([]byte, 0, len(body)/8+256)),
		Headers: []Header{
			{HeaderSchema, Schema},
			{HeaderRun, f.Run},
			{HeaderChunk, f.Chunk},
			{HeaderHash, hashText(contentHash(body))},
			{HeaderFetched, f.ReceivedAt.UTC().Format(time.RFC3339Nano)},
			{HeaderEndpoint, f.Endpoint},
			{HeaderAPI, f.API},
			{HeaderCUPS, string(f.CUPS)},
			{HeaderDistributor, string(f.Distributor)},
			{HeaderAccount, f.Account},
			{HeaderFrom, f.From},
			{HeaderTo, f.To},
			{HeaderMeasurement, f.Measurement},
			{HeaderPointType, strconv.Itoa(f.PointType)},
			{HeaderStatus, strconv.Itoa(f.Status)},
		},
	}, nil
}

// RawTombstone makes a compacted topic forget a raw copy.
func RawTombstone(key, topic string) Message {
	return Message{Topic: topic, Key: []byte(key), Headers: []Header{{HeaderSchema, Schema}}}
}

// OpenRaw reads a raw copy. Its errors are [ErrSchema] and [ErrMalformed]; a
// body that would exceed [MaxBody], or that is not the one that was copied, is
// malformed.
func (a *Archive) OpenRaw(m *Message) (Facts, []byte, error) {
	if err := checkSchema(m); err != nil {
		return Facts{}, nil, err
	}
	facts, err := parseFacts(m)
	if err != nil {
		return Facts{}, nil, err
	}
	hash, err := parseHash(m.Header(HeaderHash))
	if err != nil {
		return Facts{}, nil, err
	}
	body, err := a.decoder.DecodeAll(m.Value, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded):
		return Facts{}, nil, malformed("a body larger than %d bytes", MaxBody)
	case err != nil:
		return Facts{}, nil, malformed("a body that is no whole zstd frame")
	case contentHash(body) != hash:
		return Facts{}, nil, malformed("a body that differs from its hash")
	}
	return facts, body, nil
}

func parseFacts(m *Message) (Facts, error) {
	f := Facts{
		Run:         m.Header(HeaderRun),
		Chunk:       m.Header(HeaderChunk),
		Endpoint:    m.Header(HeaderEndpoint),
		API:         m.Header(HeaderAPI),
		CUPS:        sdk.CUPS(m.Header(HeaderCUPS)),
		Distributor: sdk.Distributor(m.Header(HeaderDistributor)),
		Account:     m.Header(HeaderAccount),
		From:        m.Header(HeaderFrom),
		To:          m.Header(HeaderTo),
		Measurement: m.Header(HeaderMeasurement),
	}
	received, err := time.Parse(time.RFC3339Nano, m.Header(HeaderFetched))
	if err != nil {
		return Facts{}, malformed("header %s is no time", HeaderFetched)
	}
	f.ReceivedAt = received.UTC()
	if f.PointType, err = strconv.Atoi(m.Header(HeaderPointType)); err != nil {
		return Facts{}, malformed("header %s is no number", HeaderPointType)
	}
	if f.Status, err = strconv.Atoi(m.Header(HeaderStatus)); err != nil {
		return Facts{}, malformed("header %s is no number", HeaderStatus)
	}
	return f, nil
}
