package datadis

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// tally is an Observer that remembers.
type tally struct {
	mu     sync.Mutex
	calls  []string
	waited int
}

func (o *tally) Call(endpoint, class string, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if took <= 0 {
		class += " in no time"
	}
	o.calls = append(o.calls, endpoint+" "+class)
}

func (o *tally) Waited(time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waited++
}

func TestEveryCallIsCountedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var counted tally
	w.Observe(&counted)
	w.inTurn(suppliesCall.v2, status(http.StatusBadGateway, "down"), status(http.StatusOK, `{"supplies":[],"distributorError":[]}`))
	session := w.Session(Login{ID: "l", Username: "12345678Z", Password: sdk.NewSecret("p")})
	if _, err := session.Supplies(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	w.say(suppliesCall.v2, http.StatusTooManyRequests, "slow down")
	if _, err := session.Supplies(t.Context(), "", ""); !errors.Is(err, ErrThrottled) {
		t.Fatal(err)
	}
	want := []string{"login ok", "supplies unavailable", "supplies ok", "supplies throttled"}
	if !slices.Equal(counted.calls, want) || counted.waited != len(want) {
		t.Errorf("counted %q, waited %d times; want %q", counted.calls, counted.waited, want)
	}
	for _, call := range want {
		if !slices.ContainsFunc(Endpoints(), func(e string) bool {
			return slices.ContainsFunc(Classes(), func(c string) bool { return e+" "+c == call })
		}) {
			t.Errorf("%s is no endpoint and class that is listed", call)
		}
	}
}

// A call that never got its place was not made.
func TestCallsThatAreNotMadeAreNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var counted tally
	w.Observe(&counted)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	session := w.Session(Login{ID: "l", Username: "12345678Z", Password: sdk.NewSecret("p")})
	if _, err := session.Supplies(ctx, "", ""); err == nil {
		t.Fatal("a cancelled call succeeded")
	}
	if len(counted.calls) > 0 {
		t.Errorf("counted %q", counted.calls)
	}
}
