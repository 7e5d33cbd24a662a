package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/sdk"
)

// world collects what a Producer puts on the queue.
type world struct {
	mu     sync.Mutex
	users  map[string]job.User
	logins map[string]string // login id → user name
}

func (w *world) Merge(_ context.Context, user job.User) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.logins[user.Login]; !ok {
		return errors.New("the account is queued before its login is known")
	}
	if _, ok := w.users[user.ID()]; ok {
		return fmt.Errorf("account %s is queued twice", user.ID())
	}
	w.users[user.ID()] = user
	return nil
}

func (w *world) Put(_ context.Context, login, username string, _ sdk.Secret) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logins[login] = username
	return nil
}

func (*world) Login(username, password string) string { return username + ":" + password }
func (*world) Account(username, nif string) string    { return username + "/" + nif }

// grants is a source that hands over some grants, and then perhaps fails.
func grants(err error, list ...sdk.Grant) sdk.Source {
	return sourceFunc(func(_ context.Context, send func(sdk.Grant) error) error {
		for _, g := range list {
			if err := send(g); err != nil {
				return err
			}
		}
		return err
	})
}

type sourceFunc func(context.Context, func(sdk.Grant) error) error

func (f sourceFunc) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	return f(ctx, send)
}

func grant(username, password string, own bool, nifs ...sdk.NIF) sdk.Grant {
	return sdk.Grant{Username: username, Password: sdk.NewSecret(password), OwnSupplies: own, AuthorizedNIFs: nifs}
}

func produce(t *testing.T, sources ...Source) (*world, Report) {
	t.Helper()
	w := &world{users: make(map[string]job.User), logins: make(map[string]string)}
	p := New(Config{Identities: w, Queue: w, Credentials: w, Logger: slog.New(slog.DiscardHandler)})
	report, err := p.Run(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	return w, report
}

// accounts prints what was queued, one line each: id, and source with its
// supplies.
func (w *world) accounts() string {
	var lines []string
	for id, u := range w.users {
		var wants []string
		for _, want := range u.Wants {
			wants = append(wants, fmt.Sprint(want.Source, want.CUPS))
		}
		lines = append(lines, id+" "+strings.Join(wants, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestGrantsBecomeAccounts(t *testing.T) {
	t.Parallel()
	only := grant("A", "p", true)
	only.CUPS = []sdk.CUPS{"ES1"}
	cases := []struct {
		name    string
		sources []Source
		want    string
	}{
		{"one per authorised NIF, and the user's own", []Source{{"n", grants(nil, grant("A", "p", true, "B", "C"))}},
			"A:p.A/ n[]\nA:p.A/B n[]\nA:p.A/C n[]"},
		{"own supplies are not asked unless wanted", []Source{{"n", grants(nil, grant("A", "p", false, "B"))}}, "A:p.A/B n[]"},
		{"the same account of two sources is one", []Source{{"n", grants(nil, grant("A", "p", true))}, {"s", grants(nil, grant("A", "p", true))}},
			"A:p.A/ n[] s[]"},
		{"sources keep their own filter", []Source{{"n", grants(nil, only)}, {"s", grants(nil, grant("A", "p", true))}},
			"A:p.A/ n[ES1] s[]"},
		{"two passwords are two logins", []Source{{"n", grants(nil, grant("A", "p", true))}, {"s", grants(nil, grant("A", "q", true))}},
			"A:p.A/ n[]\nA:q.A/ s[]"},
		{"spelling does not make a second account", []Source{{"n", grants(nil, grant("a ", "p", false, " b"))}, {"s", grants(nil, grant("A", "p", false, "B"))}},
			"A:p.A/B n[] s[]"},
		{"a user's own NIF means own supplies", []Source{{"n", grants(nil, grant("A", "p", false, "a"))}}, "A:p.A/ n[]"},
		{"useless grants cost nothing else", []Source{{"n", grants(nil, grant("", "p", true), grant("A", "", true), grant("B", "p", false), grant("C", "p", true))}},
			"C:p.C/ n[]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, _ := produce(t, c.sources...)
			if got := w.accounts(); got != c.want {
				t.Errorf("queued\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestFailedSourceStopsNobody(t *testing.T) {
	t.Parallel()
	w, report := produce(t,
		Source{"bad", grants(errors.New("database is down"), grant("A", "p", true))},
		Source{"good", grants(nil, grant("B", "p", true))})
	if want := "A:p.A/ bad[]\nB:p.B/ good[]"; w.accounts() != want {
		t.Errorf("queued\n%s\nwant\n%s", w.accounts(), want)
	}
	if report.Failed["bad"] != "database is down" || len(report.Failed) != 1 {
		t.Errorf("failed sources: %v", report.Failed)
	}
	if report.Logins["good"] != 1 || report.Accounts["bad"] != 1 || report.Merged != 2 {
		t.Errorf("report: %+v", report)
	}
}

// fell is the error of a source whose process ended.
type fell struct{ byItself bool }

func (fell) Error() string    { return "the process is gone" }
func (f fell) ByItself() bool { return f.byItself }

func TestSourceWhoseProcessEndsIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		falls  int
		err    error
		failed bool
	}{
		"killed by somebody": {20, fell{}, false}, "crashed once": {1, fell{true}, false}, "crashes always": {1000, fell{true}, true},
	} {
		calls := 0
		source := sourceFunc(func(_ context.Context, send func(sdk.Grant) error) error {
			calls++
			if err := send(grant("A", "p", true)); err != nil {
				return err
			}
			if calls <= c.falls {
				return c.err
			}
			return send(grant("B", "p", true))
		})
		w, report := produce(t, Source{"s", source})
		_, failed := report.Failed["s"]
		if want := map[bool]int{true: 1, false: 2}[c.failed]; failed != c.failed || report.Grants["s"] != want || len(w.users) != want {
			t.Errorf("%s: failed %v, grants %d, accounts %s", name, report.Failed, report.Grants["s"], w.accounts())
		}
	}
}

func TestHangingSourceIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := sourceFunc(func(ctx context.Context, _ func(sdk.Grant) error) error {
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		w, report := produce(t, Source{"hangs", hang}, Source{"good", grants(nil, grant("B", "p", true))})
		if time.Since(start) != DefaultPatience {
			t.Errorf("gave up after %s", time.Since(start))
		}
		if !strings.Contains(report.Failed["hangs"], "longer than 10m") || len(w.users) != 1 {
			t.Errorf("failed %v, accounts %v", report.Failed, w.accounts())
		}
	})
}

func TestLoginNamesAllItsSources(t *testing.T) {
	t.Parallel()
	w, _ := produce(t, Source{"n", grants(nil, grant("A", "p", true))}, Source{"s", grants(nil, grant("A", "p", false, "B"))})
	for id, u := range w.users {
		if !slices.Equal(u.LoginSources, []string{"n", "s"}) {
			t.Errorf("%s: login of %v, want both sources", id, u.LoginSources)
		}
	}
}
