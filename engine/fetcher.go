package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/embedded"
	"github.com/datadis-engine/datadis/engine/internal/hold"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

// fetcher asks Datadis as one account, beside all runs.
type fetcher struct {
	settings *settings.Settings
	scope    scope
	force    bool
	nif      sdk.NIF // the holder; "" for own supplies
	session  *datadis.Session
	ledger   *ledger.Ledger
	noted    bool        // the ledger outlives the command
	holds    *hold.Holds // nil: nobody else can write to the ledger
	account  string      // its id
	login    string      // its id
	log      *slog.Logger
	bar      *fetchBar
	close    closers

	mu       sync.Mutex
	tally    fetched
	problems []error
}

// fetched counts what was done.
type fetched struct {
	supplies, answered, empty, readings int
	refused                             int       // asked, and refused as asked before
	blocked                             int       // not asked, as Datadis would refuse
	until                               time.Time // when the first of those may be asked
}

// openLedger opens the ledger that there is: that of the configured Redis, or
// the file of local mode. Without one, what was asked is known to this process
// alone.
func (f *fetcher) openLedger(ctx context.Context, apart bool, username string, password sdk.Secret) error {
	s := f.settings
	config := ledger.Config{RepeatAfter: s.Datadis.RepeatAfter, Now: f.scope.now}
	f.ledger, f.login = ledger.New(forgetful{}, config), "fetch"
	if apart {
		return nil
	}
	sv := &servers{}
	if s.Local().Devices {
		path := filepath.Join(s.DataDir, storeName)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		file, err := store.OpenBolt(path)
		if err != nil {
			return fmt.Errorf("%w; wait for it, or give --no-ledger", err)
		}
		f.close.add(file.Close)
		sv.store = file
	} else {
		client, err := openRedis("redis.devices.url", s.Redis.Devices.URL)
		if err != nil {
			return err
		}
		f.close.add(client.Close)
		sv.store = store.NewRedis(client, storePrefix)
		f.holds = hold.New(client, processName(), s.Run.Lease, f.log)
	}
	secrets, err := openSecrets(ctx, s, sv)
	if err != nil {
		return err
	}
	user := strings.ToUpper(username) // as producers spell it
	f.ledger, f.noted = ledger.New(sv.store, config), true
	f.account = secrets.identities.Account(user, string(f.nif))
	f.login = secrets.identities.Login(user, password.Reveal())
	return nil
}

// openSession makes the client of Datadis. It shares the pace of the other
// processes where they have one.
func (f *fetcher) openSession(ctx context.Context, username string, password sdk.Secret) error {
	sv := &servers{}
	if s := f.settings; s.Datadis.RequestsPerSecond > 0 {
		address := s.Redis.Users.URL
		if s.Local().Users {
			own, err := embedded.StartRedis(ctx)
			if err != nil {
				return err
			}
			f.close.add(func() error { own.Close(); return nil })
			address = settings.NewURL(own.URL())
		}
		client, err := openRedis("redis.users.url", address)
		if err != nil {
			return err
		}
		f.close.add(client.Close)
		sv.users = client
	}
	client, err := newDatadis(f.settings, sv, f.scope.now, f.log)
	if err != nil {
		return err
	}
	f.session = client.Session(datadis.Login{ID: f.login, Username: username, Password: password})
	return nil
}

// forgetful is the store of a ledger that is not kept.
type forgetful struct{}

// Get implements [ledger.Store].
func (forgetful) Get(context.Context, string) (map[string][]byte, error) { return nil, nil }

// Put implements [ledger.Store].
func (forgetful) Put(context.Context, string, map[string][]byte, ...string) error { return nil }

// Keys implements [ledger.Store].
func (forgetful) Keys(context.Context, string, func(string) error) error { return nil }

// readings fetches the readings of the supplies, one supply after the other, so
// that what came is written even if it all ends early.
func (f *fetcher) readings(ctx context.Context, supplies []sdk.Supply, w fetchWriter) error {
	plans := make([][]ledger.Ask, len(supplies))
	total := 0
	for i, s := range supplies {
		asks, err := f.asks(ctx, s)
		if err != nil {
			return err
		}
		plans[i] = asks
		total += len(asks)
	}
	if total == 0 {
		return fmt.Errorf("there is nothing to ask for from %s to %s: Datadis serves the last 24 months, nothing before a contract, and quarter-hours of large supplies only", f.scope.window.From, f.scope.window.To)
	}
	f.bar.begin(total)
	var failure error
	for i, s := range supplies {
		chunks, err := f.supply(ctx, s, plans[i])
		f.tally.supplies++
		for _, c := range chunks {
			f.tally.readings += c.Len()
		}
		f.log.Info("supply fetched", "cups", s.CUPS, "queries", len(plans[i]), "chunks", len(chunks))
		if failure = errors.Join(w.write(rowsOf(chunks)), err); failure != nil {
			break
		}
	}
	if err := w.end(); err != nil {
		return errors.Join(failure, err)
	}
	f.log.Info("fetched", "supplies", f.tally.supplies, "answered", f.tally.answered, "without_data", f.tally.empty,
		"readings", f.tally.readings, "refused", f.tally.refused, "not_asked", f.tally.blocked)
	f.bar.end()
	return errors.Join(failure, f.missing())
}

// asks are the queries of a supply's readings, whatever is known of them.
func (f *fetcher) asks(ctx context.Context, s sdk.Supply) ([]ledger.Ask, error) {
	unknown, err := ledger.New(forgetful{}, ledger.Config{}).Open(ctx, s.CUPS)
	if err != nil {
		return nil, err
	}
	return ledger.Due(unknown, ledger.Request{
		Policy: ledger.Repair, Now: f.scope.now(), Window: f.scope.window, Series: seriesOf(f.settings.Datadis.Series),
		ValidFrom: s.ValidFrom, PointType: s.PointType, Distributor: s.Distributor,
	}), nil
}

// supply makes the queries of one supply. An error ends it all; what may be
// different for the next query is noted.
func (f *fetcher) supply(ctx context.Context, s sdk.Supply, asks []ledger.Ask) ([]*sdk.Chunk, error) {
	if f.holds != nil {
		held, release, err := f.holds.Take(ctx, string(s.CUPS.Key()))
		if errors.Is(err, hold.ErrHeld) {
			f.note(fmt.Errorf("%s: a run works on the supply just now; fetch it later", s.CUPS.Masked()))
			f.bar.done(len(asks))
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		defer release()
		ctx = held
	}
	book, err := f.ledger.Open(ctx, s.CUPS)
	if err != nil {
		return nil, err
	}
	answers := make([][]*sdk.Chunk, len(asks))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, f.settings.Datadis.MaxInFlightPerLogin))
	for i, ask := range asks {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return context.Cause(groupCtx)
			}
			var err error
			answers[i], err = f.query(groupCtx, book, s, ask)
			f.bar.done(1)
			return err
		})
	}
	err = group.Wait()
	return slices.Concat(answers...), err
}

// fetchRetries are the pauses before a query that was not answered is sent
// again. Datadis often fails for a moment.
var fetchRetries = []time.Duration{3 * time.Second, 10 * time.Second}

// query makes one query, unless Datadis would refuse it.
func (f *fetcher) query(ctx context.Context, book *ledger.Book, s sdk.Supply, ask ledger.Ask) ([]*sdk.Chunk, error) {
	key := ledger.Query{
		Account: f.account, CUPS: s.CUPS, Distributor: s.Distributor, PointType: s.PointType,
		Series: ask.Series, From: ask.From, To: ask.To,
	}.Key()
	if until, blocked := book.Blocked(key, f.scope.now()); blocked && !f.force {
		f.block(until)
		return nil, nil
	}
	what := fmt.Sprintf("%s %s %s", s.CUPS.Masked(), ask.Series, months(ask))
	for try := 0; ; try++ {
		if err := book.Intend(ctx, key); err != nil {
			return nil, err
		}
		answer, err := f.session.Fetch(ctx, datadis.Query{
			NIF: f.nif, CUPS: s.CUPS, Distributor: s.Distributor, Series: ask.Series, From: ask.From, To: ask.To, PointType: s.PointType,
		})
		if err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if noted := book.Fail(context.WithoutCancel(ctx), key, classOf(err)); noted != nil {
			f.note(noted) // the answer is there all the same
		}
		if errors.Is(err, datadis.ErrUnavailable) && try < len(fetchRetries) {
			f.log.Warn("no answer; asking again", "cups", s.CUPS, "series", ask.Series, "from", ask.From, "error", err)
			if err := pause(ctx, fetchRetries[try]); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, f.refused(what, err)
		}
		return f.decode(what, answer, s, ask)
	}
}

// classOf is how the ledger is told of a query. It is told of the query alone:
// the content went to nobody, so a run still has to get it. Once answered,
// Datadis refuses the query to the next run as it would a repeated one.
func classOf(err error) ledger.Class {
	switch {
	case err == nil, errors.Is(err, datadis.ErrNoData), errors.Is(err, datadis.ErrRepeated):
		return ledger.Repeated
	case errors.Is(err, datadis.ErrThrottled):
		return ledger.Limited
	case errors.Is(err, datadis.ErrUnavailable):
		return ledger.Unavailable
	default:
		return ledger.Interrupted // says nothing of what a run would be told
	}
}

// refused notes what goes wrong with one query, and returns what goes wrong with
// all of them.
func (f *fetcher) refused(what string, err error) error {
	switch {
	case errors.Is(err, datadis.ErrNoData):
		f.count(func(t *fetched) { t.answered++; t.empty++ })
		return nil
	case errors.Is(err, datadis.ErrRepeated):
		f.count(func(t *fetched) { t.refused++ })
		return nil
	case errors.Is(err, datadis.ErrBadCredentials), errors.Is(err, datadis.ErrThrottled):
		return explain(err)
	}
	f.note(fmt.Errorf("%s: %w", what, explain(err)))
	return nil
}

// decode reads an answer.
func (f *fetcher) decode(what string, answer datadis.Answer, s sdk.Supply, ask ledger.Ask) ([]*sdk.Chunk, error) {
	shape := datadis.Query{CUPS: s.CUPS, Distributor: s.Distributor, Series: ask.Series, From: ask.From, To: ask.To, PointType: s.PointType}.Shape()
	chunks, report, err := datadis.Decode(answer.Body, shape)
	if err = errors.Join(err, report.Failure()); err != nil {
		f.note(fmt.Errorf("%s: %w", what, err))
		return nil, nil
	}
	chunks = slices.DeleteFunc(chunks, func(c *sdk.Chunk) bool { return c.Len() == 0 })
	f.count(func(t *fetched) {
		t.answered++
		if len(chunks) == 0 {
			t.empty++
		}
	})
	return chunks, nil
}

func months(ask ledger.Ask) string {
	if ask.From == ask.To {
		return ask.From.String()
	}
	return ask.From.String() + " to " + ask.To.String()
}

func (f *fetcher) count(add func(*fetched)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	add(&f.tally)
}

func (f *fetcher) note(problem error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems = append(f.problems, problem)
}

// block counts a query that is not sent.
func (f *fetcher) block(until time.Time) {
	f.count(func(t *fetched) {
		if t.blocked++; t.until.IsZero() || until.Before(t.until) {
			t.until = until
		}
	})
}

// mostProblems bounds how many sentences say the same of other months.
const mostProblems = 10

// missing is what did not come, and what to do about it.
func (f *fetcher) missing() error {
	problems := f.problems
	if more := len(problems) - mostProblems; more > 0 {
		problems = append(slices.Clone(problems[:mostProblems]), fmt.Errorf("and %d more queries failed", more))
	}
	if f.tally.refused > 0 {
		problems = append(problems, fmt.Errorf("Datadis refuses %d queries: it answered the same within the last 24 hours, to a run or to somebody else; ask again tomorrow", f.tally.refused))
	}
	if f.tally.blocked > 0 {
		problems = append(problems, fmt.Errorf("%d queries were made within the last %s, and Datadis would refuse them; the first may be made again at %s, or with --force at once",
			f.tally.blocked, f.settings.Datadis.RepeatAfter, moment(f.tally.until)))
	}
	return errors.Join(problems...)
}
