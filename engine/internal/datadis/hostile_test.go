package datadis

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// bomb is a small body that inflates to more than is read.
func bomb(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := io.CopyN(zip, zeros{}, maxBody+1); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

type zeros struct{}

// Read implements [io.Reader].
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// until writes again and again, for as long as somebody reads.
func until(rw http.ResponseWriter, r *http.Request, what []byte, pause time.Duration) {
	for r.Context().Err() == nil {
		if _, err := rw.Write(what); err != nil {
			return
		}
		_ = http.NewResponseController(rw).Flush() // if nobody reads, the next write fails
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
		}
	}
}

// A server that is no Datadis, or somebody on the way to it, costs a call and
// nothing more: neither the memory nor the time of the process.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	packed := bomb(t)
	if len(packed) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(packed))
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		cause  error // in the chain; nil: any
	}{
		"a bomb":                 {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(packed) }, errTooLarge},
		"a body without end":     {func(rw http.ResponseWriter, r *http.Request) { until(rw, r, make([]byte, 1<<20), 0) }, errTooLarge},
		"a byte now and then":    {func(rw http.ResponseWriter, r *http.Request) { until(rw, r, []byte(" "), 10*time.Millisecond) }, nil},
		"nothing at all":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil},
		"a length that is a lie": {func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Content-Length", "9999999999999") }, errTooLarge},
		"endless headers": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("X-Long", strings.Repeat("a", 12<<20))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			w := newWorld(t, func(config *Config) {
				if c.cause == nil {
					config.Timeout = 300 * time.Millisecond
				}
			})
			w.on(consumptionCall.v2, func(rw http.ResponseWriter, r *http.Request) {
				defer close(ended)
				c.answer(rw, r)
			})
			_, err := w.session().Fetch(t.Context(), novemberQuery())
			if !errors.Is(err, ErrUnavailable) || c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("got %v", err)
			}
			<-ended // the connection is not kept either
		})
	}
}

// Brackets within brackets are no reason to run out of stack.
func TestDeepAnswersAreRefused(t *testing.T) {
	t.Parallel()
	const depth = 1 << 20
	for _, body := range []string{
		strings.Repeat("[", depth) + strings.Repeat("]", depth),
		strings.Repeat(`{"response":`, depth) + "1" + strings.Repeat("}", depth),
		`{"timeCurve":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`,
	} {
		w := newWorld(t)
		w.say(consumptionCall.v2, http.StatusOK, body)
		q := novemberQuery()
		answer, err := w.session().Fetch(t.Context(), q)
		if err == nil {
			_, _, err = Decode(answer.Body, q.Shape())
		}
		if err == nil {
			t.Errorf("%.20s… was understood", body)
		}
	}
}
