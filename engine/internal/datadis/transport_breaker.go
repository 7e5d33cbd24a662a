package datadis

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/datadis-engine/datadis/sdk"
)

// ErrResting is the cause of calls that were not sent: nearly all that were
// sent to the same distributor failed, so it is left alone for a while.
var ErrResting = errors.New("the distributor fails at present and is left alone for a while")

// When a distributor is left alone: single supplies fail for days after their
// contract changed (datadis-api.md 8.5), so only a failure of nearly everything
// is the distributor's.
const (
	breakerWindow   = time.Minute
	breakerRequests = 20
	breakerFailures = 0.9 // of the requests in the window
	breakerRest     = time.Minute
	breakerProbes   = 2 // that are sent after the rest, to see whether it works again
)

// breaker keeps from pressing a distributor whose systems are down, one
// breaker for each.
type breaker struct {
	next http.RoundTripper
	log  *slog.Logger
	mu   *sync.Mutex
	each map[sdk.Distributor]*gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newBreaker(next http.RoundTripper, log *slog.Logger) breaker {
	return breaker{next, log, new(sync.Mutex), make(map[sdk.Distributor]*gobreaker.TwoStepCircuitBreaker[struct{}])}
}

// RoundTrip implements [http.RoundTripper].
func (b breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	distributor := sdk.Distributor(req.URL.Query().Get("distributorCode"))
	if distributor == "" {
		return b.next.RoundTrip(req)
	}
	done, err := b.of(distributor).Allow()
	if err != nil {
		return nil, ErrResting
	}
	res, err := b.next.RoundTrip(req)
	switch {
	case errors.Is(err, context.Canceled): // says nothing about the distributor
		done(nil)
	case err != nil:
		done(err)
	case res.StatusCode >= http.StatusInternalServerError:
		done(ErrUnavailable)
	default:
		done(nil)
	}
	return res, err
}

func (b breaker) of(distributor sdk.Distributor) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, ok := b.each[distributor]
	if !ok {
		one = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: string(distributor), Interval: breakerWindow, Timeout: breakerRest, MaxRequests: breakerProbes,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.Requests >= breakerRequests && float64(c.TotalFailures) >= breakerFailures*float64(c.Requests)
			},
			OnStateChange: func(name string, _, to gobreaker.State) {
				b.log.Warn("distributor "+breakerNews[to], "distributor", name)
			},
		})
		b.each[distributor] = one
	}
	return one
}

var breakerNews = map[gobreaker.State]string{
	gobreaker.StateOpen:     "fails nearly always; it is left alone for " + breakerRest.String(),
	gobreaker.StateHalfOpen: "is tried again",
	gobreaker.StateClosed:   "works again",
}
