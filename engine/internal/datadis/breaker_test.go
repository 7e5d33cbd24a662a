package datadis

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a transport that answers with one status at a time, and counts.
type answers struct {
	status int
	sent   int
}

// RoundTrip implements [http.RoundTripper].
func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.sent++
	if a.status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestBreakerLeavesAFailingDistributorAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &answers{status: http.StatusBadGateway}
		b := newBreaker(server, slog.New(slog.DiscardHandler))
		ask := func(distributor string) error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://datadis.example/x?distributorCode="+distributor, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := b.RoundTrip(req)
			if err == nil {
				_ = res.Body.Close() // nothing is in it
			}
			return err
		}
		for range breakerRequests {
			if err := ask("5"); err != nil {
				t.Fatal(err)
			}
		}
		if err := ask("5"); !errors.Is(err, ErrResting) || server.sent != breakerRequests {
			t.Errorf("after %d failures: %v, %d were sent", breakerRequests, err, server.sent)
		}
		if err := ask("2"); err != nil {
			t.Errorf("another distributor: %v", err)
		}
		if err := ask(""); err != nil {
			t.Errorf("a call that is about no distributor: %v", err)
		}
		time.Sleep(breakerRest + time.Second)
		server.status, server.sent = 0, 0
		if err := ask("5"); err == nil || errors.Is(err, ErrResting) {
			t.Errorf("after the rest it is tried: %v", err)
		}
		if err := ask("5"); !errors.Is(err, ErrResting) || server.sent != 1 {
			t.Errorf("it still fails: %v, %d were sent", err, server.sent)
		}
		time.Sleep(breakerRest + time.Second)
		server.status = http.StatusOK
		for range 2 * breakerRequests {
			if err := ask("5"); err != nil {
				t.Fatalf("it works again: %v", err)
			}
		}
	})
}

func TestBreakerMindsNoSingleSupply(t *testing.T) {
	t.Parallel()
	server := &answers{}
	b := newBreaker(server, slog.New(slog.DiscardHandler))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://datadis.example/x?distributorCode=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 * breakerRequests {
		server.status = http.StatusInternalServerError
		if i%4 == 0 {
			server.status = http.StatusOK
		}
		res, err := b.RoundTrip(req)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		_ = res.Body.Close() // nothing is in it
	}
}
