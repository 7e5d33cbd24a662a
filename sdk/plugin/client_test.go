package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

type none struct{}

// source is a sdk.Source made of a function.
type source func(ctx context.Context, send func(sdk.Grant) error) error

func (f source) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	return f(ctx, send)
}

// harmonizer is a sdk.Harmonizer made of a function.
type harmonizer func(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error)

func (f harmonizer) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	return f(ctx, batch)
}

func ofSource(f source) Definition[none] {
	return Definition[none]{Name: "test", Source: func(context.Context, sdk.Instance, none) (sdk.Source, sdk.Route, error) {
		return f, sdk.Route{Topic: "datadis.test"}, nil
	}}
}

func ofHarmonizer(h sdk.Harmonizer) Definition[none] {
	return Definition[none]{Name: "test", Harmonizer: func(context.Context, sdk.Instance, none) (sdk.Harmonizer, sdk.Intake, error) {
		return h, sdk.Intake{OutputTopics: []string{"out"}}, nil
	}}
}

// ready connects and configures.
func ready[C any](t *testing.T, d Definition[C]) *Client {
	t.Helper()
	c := connect(t, d)
	if _, err := c.Configure(t.Context(), sdk.Instance{Name: "test"}, Settings{}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGrantsArriveInOrderAndWhole(t *testing.T) {
	t.Parallel()
	const n = 2*maxGrantsPerMessage + 7
	c := ready(t, ofSource(func(_ context.Context, send func(sdk.Grant) error) error {
		for i := range n {
			g := sdk.Grant{Key: fmt.Sprint(i), Username: "u", Password: sdk.NewSecret("p"), AuthorizedNIFs: []sdk.NIF{"A"}, CUPS: []sdk.CUPS{"ES"}, OwnSupplies: true}
			if err := send(g); err != nil {
				return err
			}
		}
		return nil
	}))
	var keys []string
	err := c.ListGrants(t.Context(), func(g sdk.Grant) error {
		keys = append(keys, g.Key)
		if g.Password.Reveal() != "p" || g.AuthorizedNIFs[0] != "A" || g.CUPS[0] != "ES" || !g.OwnSupplies {
			return fmt.Errorf("grant %s lost something", g.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != n || keys[n-1] != fmt.Sprint(n-1) {
		t.Fatalf("%d grants, the last is %s", len(keys), keys[len(keys)-1])
	}
}

func TestGrantsThatFailConcludeNothing(t *testing.T) {
	t.Parallel()
	c := ready(t, ofSource(func(_ context.Context, send func(sdk.Grant) error) error {
		if err := send(sdk.Grant{Username: "u"}); err != nil {
			return err
		}
		return sdk.Later(errors.New("the database is down"), time.Minute)
	}))
	var e *sdk.Error
	err := c.ListGrants(t.Context(), func(sdk.Grant) error { return nil })
	if !errors.As(err, &e) || e.Kind != sdk.Unavailable || e.After != time.Minute || e.Origin != sdk.FromDownstream {
		t.Fatalf("%#v", err)
	}
	if !strings.Contains(err.Error(), "the database is down") {
		t.Error(err)
	}
}

func TestTheReceiversErrorEndsTheList(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	c := ready(t, ofSource(func(_ context.Context, send func(sdk.Grant) error) error {
		for {
			if err := send(sdk.Grant{Username: "u"}); err != nil {
				ended <- err
				return err
			}
		}
	}))
	enough := errors.New("enough")
	if err := c.ListGrants(t.Context(), func(sdk.Grant) error { return enough }); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the source ended with %v", err)
	}
}

func TestAPanicIsAnErrorAndTheProcessLives(t *testing.T) {
	t.Parallel()
	c := ready(t, ofHarmonizer(harmonizer(func(_ context.Context, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		if b.ID == "bad" {
			panic("boom")
		}
		return sdk.Result{}, nil
	})))
	_, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{ID: "bad"})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Reason != ReasonPanic || e.Origin != sdk.FromPlugin || e.Kind != sdk.Invalid {
		t.Fatalf("%#v", err)
	}
	if _, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{ID: "good"}); err != nil {
		t.Fatal(err)
	}
}

func TestTheCallersContextIsNotThePluginsFault(t *testing.T) {
	t.Parallel()
	c := ready(t, ofHarmonizer(harmonizer(func(ctx context.Context, _ sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		<-ctx.Done()
		return sdk.Result{}, ctx.Err()
	})))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.HarmonizeTimeSeries(ctx, sdk.Batch[sdk.Chunk]{ID: "b"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		give   error
		kind   sdk.ErrorKind
		origin sdk.Origin
		reason string
	}{
		"later":           {sdk.Later(errors.New("x"), time.Second), sdk.Unavailable, sdk.FromDownstream, ""},
		"stop":            {sdk.Stop(errors.New("x")), sdk.Precondition, sdk.FromDownstream, ""},
		"reject":          {sdk.Reject("odd", errors.New("x")), sdk.Invalid, sdk.FromInput, "odd"},
		"wrapped":         {fmt.Errorf("writing: %w", sdk.Stop(errors.New("x"))), sdk.Precondition, sdk.FromDownstream, ""},
		"says nothing":    {errors.New("x"), sdk.Invalid, sdk.FromPlugin, ""},
		"own deadline":    {context.DeadlineExceeded, sdk.Unavailable, sdk.FromDownstream, ""},
		"huge":            {errors.New(strings.Repeat("x", 1<<20)), sdk.Invalid, sdk.FromPlugin, ""},
		"no UTF-8":        {errors.New("\xff"), sdk.Invalid, sdk.FromPlugin, ""},
		"unreachable":     {&netError{}, sdk.Unavailable, sdk.FromDownstream, ""},
		"an unknown kind": {&sdk.Error{Kind: "odd", Err: errors.New("x")}, sdk.Invalid, sdk.FromPlugin, ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ready(t, ofHarmonizer(harmonizer(func(context.Context, sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
				return sdk.Result{}, test.give
			})))
			_, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{})
			var e *sdk.Error
			if !errors.As(err, &e) || e.Kind != test.kind || e.Origin != test.origin || e.Reason != test.reason {
				t.Fatalf("%+v", err)
			}
		})
	}
}

type netError struct{}

func (*netError) Error() string   { return "connection refused" }
func (*netError) Timeout() bool   { return false }
func (*netError) Temporary() bool { return true }

func TestARoleThatIsNotPlayedIsUnsupported(t *testing.T) {
	t.Parallel()
	c := ready(t, ofSource(func(context.Context, func(sdk.Grant) error) error { return nil }))
	if _, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{}); !errors.Is(err, sdk.ErrUnsupported) {
		t.Error(err)
	}
	h := ready(t, ofHarmonizer(harmonizer(func(context.Context, sdk.Batch[sdk.Chunk]) (sdk.Result, error) { return sdk.Result{}, nil })))
	if err := h.ListGrants(t.Context(), nil); !errors.Is(err, sdk.ErrUnsupported) {
		t.Error(err)
	}
	// What a harmonizer leaves out is skipped, not an error.
	if err := h.BeginRun(t.Context(), sdk.Run{}); err != nil {
		t.Error(err)
	}
	if _, err := h.EndRun(t.Context(), sdk.RunEnd{}); err != nil {
		t.Error(err)
	}
	if _, err := h.HarmonizeSupplies(t.Context(), sdk.Batch[sdk.Supply]{}); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheWantedRoleIsSetUp(t *testing.T) {
	t.Parallel()
	var set []Kind
	d := Definition[none]{Name: "both",
		Source: func(context.Context, sdk.Instance, none) (sdk.Source, sdk.Route, error) {
			set = append(set, SourceKind)
			return source(nil), sdk.Route{}, nil
		},
		Harmonizer: func(context.Context, sdk.Instance, none) (sdk.Harmonizer, sdk.Intake, error) {
			set = append(set, HarmonizerKind)
			return harmonizer(nil), sdk.Intake{Sources: []string{"north"}}, nil
		}}
	c := connect(t, d)
	setup, err := c.Configure(t.Context(), sdk.Instance{}, Settings{}, HarmonizerKind)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(set, []Kind{HarmonizerKind}) || !slices.Equal(setup.Intake.Sources, []string{"north"}) {
		t.Errorf("set up %v, intake %v", set, setup.Intake)
	}
}

func TestHarmonizerCallsTakeTurns(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 1)
	c := ready(t, ofHarmonizer(harmonizer(func(context.Context, sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		select {
		case busy <- struct{}{}:
		default:
			return sdk.Result{}, errors.New("two calls at a time")
		}
		for range 1000 { // let the other calls arrive
			runtime.Gosched()
		}
		<-busy
		return sdk.Result{}, nil
	})))
	failures := make(chan error, 8)
	for range cap(failures) {
		go func() {
			_, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{})
			failures <- err
		}()
	}
	for range cap(failures) {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	c := ready(t, ofHarmonizer(harmonizer(func(context.Context, sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		close(entered)
		<-release
		return sdk.Result{}, nil
	})))
	call, drain := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{})
		call <- err
	}()
	<-entered
	go func() { drain <- c.Drain(t.Context()) }()
	for { // until the gate is shut
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := c.HarmonizeTimeSeries(ctx, sdk.Batch[sdk.Chunk]{})
		cancel()
		var e *sdk.Error
		if errors.As(err, &e) && e.Reason == "draining" {
			break
		}
	}
	select {
	case err := <-drain:
		t.Fatalf("drained with a call in flight: %v", err)
	default:
	}
	close(release)
	if err := <-call; err != nil {
		t.Error(err)
	}
	if err := <-drain; err != nil {
		t.Error(err)
	}
}

func TestRecordsForUndeclaredTopicsAreRefused(t *testing.T) {
	t.Parallel()
	c := ready(t, ofHarmonizer(harmonizer(func(_ context.Context, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		return sdk.Result{Records: []sdk.Record{{Topic: b.ID}}}, nil
	})))
	batch := func(topic string) sdk.Batch[sdk.Chunk] {
		return sdk.Batch[sdk.Chunk]{ID: topic, Items: []sdk.Chunk{{ID: "a"}}}
	}
	if _, err := c.HarmonizeTimeSeries(t.Context(), batch("out")); err != nil {
		t.Error(err)
	}
	var e *sdk.Error
	if _, err := c.HarmonizeTimeSeries(t.Context(), batch("other")); !errors.As(err, &e) || e.Reason != ReasonBadResult {
		t.Error(err)
	}
}

func TestAResultOutsideTheBatchIsRefused(t *testing.T) {
	t.Parallel()
	c := ready(t, ofHarmonizer(harmonizer(func(context.Context, sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		return sdk.Result{Items: []sdk.ItemResult{{Item: 1, Verdict: sdk.Skipped}}}, nil
	})))
	var e *sdk.Error
	_, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{{}}})
	if !errors.As(err, &e) || e.Reason != ReasonBadResult || e.Origin != sdk.FromPlugin {
		t.Error(err)
	}
}
