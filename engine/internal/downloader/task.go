package downloader

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/sdk"
)

// task is one attempt at one supply.
type task struct {
	*Downloader
	device   job.Device
	cups     sdk.CUPS
	last     bool // no further attempt follows in this run
	book     *ledger.Book
	sessions map[string]*session // by account
	log      *slog.Logger

	counts  job.Verdict   // only its counters are used
	failure error         // of Datadis: the last call that may succeed another time
	cool    time.Duration // the login must rest
	later   time.Duration // when Datadis will answer what it refused to repeat, if that is soon
	stopped bool          // no more calls are to be made
}

// session is an account's way to Datadis, or why there is none now.
type session struct {
	*datadis.Session
	username sdk.NIF
	err      error
}

// run serves the sources that came late, asks for what is missing, and
// publishes the static data.
func (t *task) run(ctx context.Context) error {
	book, err := t.Ledger.Open(ctx, t.cups)
	if err != nil {
		return err
	}
	t.book = book
	if err := t.resume(ctx); err != nil {
		return err
	}
	again, err := t.late(ctx)
	if err != nil {
		return err
	}
	if err := t.download(ctx, again); err != nil || t.over() {
		return err
	}
	if t.failure != nil && !t.last {
		return nil // static data says what was gathered: it comes with the last attempt
	}
	defer crash.Here(crash.Downloaded)
	return t.static(ctx)
}

// download asks for what is due, through the first account that may: a month
// before its contract began may still be asked for through another one.
func (t *task) download(ctx context.Context, again map[ledger.Key]bool) error {
	asked := make(map[ledger.Key]bool)
	for i, access := range t.device.Accesses {
		asks := ledger.Due(t.book, t.request(access))
		for key := range again {
			asks = append(asks, ledger.Ask{Series: key.Series, From: key.Month, To: key.Month})
		}
		for _, ask := range asks {
			if anyAsked(asked, ask) {
				continue
			}
			for _, key := range ask.Keys() {
				asked[key] = true
			}
			if err := t.through(ctx, t.device.Accesses[i:], ask); err != nil || t.over() {
				return err
			}
		}
	}
	return nil
}

// over tells whether no more calls are to be made now. What is missing then is
// asked for when the supply is handed out again.
func (t *task) over() bool {
	select {
	case <-t.Stopping:
		t.stopped = true
	default:
	}
	return t.stopped || t.cool > 0
}

func anyAsked(asked map[ledger.Key]bool, ask ledger.Ask) bool {
	for _, key := range ask.Keys() {
		if asked[key] {
			return true
		}
	}
	return false
}

func (t *task) request(a job.Access) ledger.Request {
	return ledger.Request{
		Policy: t.Policy, Now: t.Now(), Window: t.Window, Series: t.Series,
		Again: t.device.Again, ValidFrom: a.ValidFrom, PointType: a.PointType, Distributor: a.Distributor,
	}
}

// through asks through the first of the accounts that is not refused.
func (t *task) through(ctx context.Context, accesses []job.Access, ask ledger.Ask) error {
	var refusal error
	var refused ledger.QueryKey // just now, for want of authorisation
	for _, access := range accesses {
		s, err := t.session(ctx, access)
		if err != nil {
			return err
		}
		if s.err != nil {
			refusal = s.err
			continue
		}
		err = t.ask(ctx, s, access, ask)
		switch {
		case errors.Is(err, errRefusedLately):
		case errors.Is(err, datadis.ErrUnauthorised), errors.Is(err, datadis.ErrBadCredentials):
			t.log.Warn("account refused; the next one is asked", "account", access.Account, "error", err)
			s.err, refusal = err, err
			if errors.Is(err, datadis.ErrUnauthorised) {
				refused = queryKey(access, ask)
			}
		default:
			return err
		}
	}
	t.refused(accesses, ask, refusal)
	if refused == "" {
		return nil
	}
	return t.book.Fail(ctx, refused, ledger.Unauthorised, ask.Keys()...)
}

// refused deals with a query that no account may make now: because Datadis
// said so just now, or within a day.
func (t *task) refused(accesses []job.Access, ask ledger.Ask, refusal error) {
	switch {
	case refusal != nil:
		t.failure = refusal
	case t.unauthorised(ask):
		t.failure = &datadis.Error{Kind: datadis.ErrUnauthorised, Endpoint: ask.Series.String(), Message: "refused within the last day"}
	default:
		t.postpone(queryKey(accesses[0], ask), ask)
	}
}

// session is the account's session, opened once in a task.
func (t *task) session(ctx context.Context, a job.Access) (*session, error) {
	if s, ok := t.sessions[a.Account]; ok {
		return s, nil
	}
	s, username, err := t.Sessions.Session(ctx, a.Login)
	if err != nil {
		return nil, err
	}
	opened := &session{Session: s, username: username}
	t.sessions[a.Account] = opened
	return opened, nil
}
