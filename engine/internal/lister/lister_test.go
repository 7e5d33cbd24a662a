package lister

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/sdk"
)

// What is listed is queued for the sources that want it, as it is listed, and
// counted once: the login with its first account.
func TestListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say("", rows(supply("2", cupsA), supply("8", cupsC), supply("2", cupsB)))
	u := user("u1")
	u.NIF = "X1234567L"
	u.Wants = []job.Want{{Source: "north"}, {Source: "south", CUPS: []sdk.CUPS{cupsB}}, {Source: "west", CUPS: []sdk.CUPS{"ES0099"}}}
	u.LoginSources = []string{"north", "south", "west", "east"}
	want := map[string]int64{job.Logins: 1, job.Accounts: 1}
	for _, source := range u.LoginSources {
		want[job.PerSource(job.Logins, source)] = 1
	}
	for source, n := range map[string]int64{"north": 3, "south": 1, "west": 0} {
		want[job.PerSource(job.Accounts, source)] = 1
		if n > 0 {
			want[job.PerSource(job.Supplies, source)] = n
		}
	}
	w.is(w.handle(u, 1), done(want))
	if got := w.queued(); got != cupsC+" "+cupsA+" "+cupsB {
		t.Errorf("queued %s", got)
	}
	access := w.devices["ES0031000000000002BD"].Accesses[0]
	if access.Account != u.Account || access.Login != "u1" || access.NIF != "X1234567L" || access.Distributor != "2" || access.PointType != 5 ||
		!slices.Equal(access.Sources, []string{"north", "south"}) || access.ValidFrom.Year() != 2024 || !strings.Contains(string(access.Supply), `"postalCode":"8001"`) {
		t.Errorf("queued as %+v", access)
	}
	// Another account of the login does not count the login again.
	other := user("u1")
	other.Account = "a2"
	counts := first(3)
	delete(counts, job.Logins)
	delete(counts, job.PerSource(job.Logins, "north"))
	w.is(w.handle(other, 1), done(counts))
	if got := fmt.Sprint(w.log()); got != "[login u1 list as X1234567L list]" {
		t.Errorf("asked %s, want one login", got)
	}
}

// Rows that cannot be queued cost the account nothing else. Of the rows of one
// supply, that of the open contract counts, else the latest.
func TestOddRows(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, rows, queued, from string
	}{
		{"no queue can hold it", supply("2", "ES 00|31") + "," + supply("2", cupsA), cupsA, "2024-02-01"},
		{"a path", supply("2", "../../etc/passwd") + "," + supply("2", cupsA), cupsA, "2024-02-01"},
		{"no distributor", supply("", cupsB) + "," + supply("2", cupsA), cupsA, "2024-02-01"},
		{"successive contracts", row("2", cupsA, "2020/01/01", "2022/12/31") + "," + row("2", cupsA, "2023/01/01", "") + "," + row("2", cupsA, "2025/01/01", "2025/06/30"), cupsA, "2023-01-01"},
		{"none is open", row("2", cupsA, "2023/01/01", "2023/12/31") + "," + row("2", cupsA, "2020/01/01", "2022/12/31"), cupsA, "2023-01-01"},
		{"lower case, sent back so", supply("2", strings.ToLower(cupsA)), strings.ToLower(cupsA), "2024-02-01"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say("", rows(c.rows))
			w.is(w.handle(user("u1"), 1), done(first(1)))
			if got := w.queued(); got != c.queued {
				t.Fatalf("queued %q, want %q", got, c.queued)
			}
			for _, d := range w.devices {
				if got := d.Accesses[0].ValidFrom.Format(time.DateOnly); got != c.from {
					t.Errorf("valid from %s, want %s", got, c.from)
				}
			}
		})
	}
}

// An account without supplies is listed, and is no failure.
func TestEmptyAccount(t *testing.T) {
	t.Parallel()
	for _, answer := range []answer{rows(), status(404, "No supplies found"), failing("2/5")} {
		w := newWorld(t)
		w.say("", answer)
		w.is(w.handle(user("u1"), 1), done(first(0)))
		if len(w.failed) != 0 || w.queued() != "" {
			t.Errorf("%s: failed %v, queued %s", answer.body, w.failed, w.queued())
		}
	}
}

// The last good listing of each distributor counts.
func TestIncompleteListings(t *testing.T) {
	t.Parallel()
	whole := rows(supply("2", cupsA), supply("2", cupsB), supply("8", cupsC))
	short := rows(supply("2", cupsA), supply("8", cupsC))
	const all = cupsC + " " + cupsA + " " + cupsB
	cases := []struct {
		name   string
		before answer            // yesterday's listing
		now    []answer          // the listing of all
		alone  map[string]answer // of those that are asked alone
		want   string            // what the account may see then, and what is queued
		asked  string            // after the login
		failed string            // distributor among the reasons of failed grants
	}{
		{"a distributor heals", whole, []answer{failing("10/2", supply("8", cupsC))}, map[string]answer{"2": rows(supply("2", cupsA), supply("2", cupsB))}, all, "list, list 2", ""},
		{"another code of failure", whole, []answer{failing("15/2", supply("8", cupsC))}, map[string]answer{"2": rows(supply("2", cupsA), supply("2", cupsB))}, all, "list, list 2", ""},
		{"it goes on failing", whole, []answer{failing("10/2", supply("8", cupsC))}, map[string]answer{"2": failing("10/2")}, all, "list, list 2, list 2", "2"},
		{"it fails and lists something", whole, []answer{failing("10/2", supply("8", cupsC), supply("2", cupsA))}, map[string]answer{"2": failing("10/2", supply("2", cupsA))}, all, "list, list 2, list 2", "2"},
		{"it is down when asked alone", whole, []answer{failing("10/2", supply("8", cupsC))}, map[string]answer{"2": status(503, "")}, all, "list, list 2, list 2, list 2, list 2, list 2, list 2", "2"},
		{"a failed one that was never seen", rows(supply("8", cupsC)), []answer{failing("10/5", supply("8", cupsC))}, map[string]answer{"5": failing("10/5")}, cupsC, "list, list 5, list 5", "5"},
		{"no such customer", rows(supply("8", cupsC)), []answer{failing("2/5", supply("8", cupsC))}, nil, cupsC, "list", ""},
		{"short by mistake", whole, []answer{short}, map[string]answer{"2": rows(supply("2", cupsA), supply("2", cupsB))}, all, "list, list 2", ""},
		{"short for good", whole, []answer{short}, map[string]answer{"2": rows(supply("2", cupsA))}, cupsC + " " + cupsA, "list, list 2, list 2", ""},
		{"gone without a word", whole, []answer{rows(supply("8", cupsC))}, map[string]answer{"2": rows()}, cupsC, "list, list 2, list 2", ""},
		{"gone, as it is down", whole, []answer{rows(supply("8", cupsC))}, map[string]answer{"2": status(503, "")}, all, "list, list 2, list 2, list 2, list 2, list 2, list 2", "2"},
		{"short, as it is down", whole, []answer{short}, map[string]answer{"2": status(503, "")}, all, "list, list 2, list 2, list 2, list 2, list 2, list 2", "2"},
		{"asked alone, not authorised", whole, []answer{failing("10/2", supply("8", cupsC))}, map[string]answer{"2": status(403, `{"message":"no autorizado"}`)}, cupsC, "list, list 2, list 2", ""},
		{"moved to another distributor", whole, []answer{rows(supply("2", cupsA), supply("8", cupsB), supply("8", cupsC))}, nil, all, "list", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			u := user("u1")
			w.say("", c.before)
			w.is(w.handle(u, 1), done(first(int64(strings.Count(c.before.body, `"cups"`)))))
			began := len(w.log())
			w.begin("run2")
			w.say("", c.now...)
			for distributor, answer := range c.alone {
				w.say(distributor, answer)
			}
			w.is(w.handle(u, 1), done(first(int64(strings.Count(c.want, "ES")))))
			if got := w.entitled(u); got != c.want {
				t.Errorf("may see %s\nwant %s", got, c.want)
			}
			if got := w.queued(); got != c.want {
				t.Errorf("queued %s\nwant %s", got, c.want)
			}
			if got := strings.Join(w.log()[began:], ", "); got != c.asked {
				t.Errorf("asked %q, want %q", got, c.asked)
			}
			var failed string
			for _, f := range w.failed {
				failed += strings.TrimSuffix(strings.TrimPrefix(f.Reason, "distributor "), " did not answer")
			}
			if failed != c.failed {
				t.Errorf("failed grants %v, want of distributor %q", w.failed, c.failed)
			}
		})
	}
}

// An account whose holder does not authorise the login (any more) is entitled
// to nothing. The login itself works.
func TestUnauthorisedNIF(t *testing.T) {
	t.Parallel()
	for _, refusal := range []answer{
		status(403, `{"message":"Forbidden: no tiene permisos"}`),
		status(400, "El usuario no se encuentra autorizado para el NIF"),
	} {
		w := newWorld(t)
		u := user("u1")
		u.NIF = "X1234567L"
		w.say("", rows(supply("2", cupsA)))
		w.handle(u, 1)
		w.begin("run2")
		w.say("", refusal)
		w.is(w.handle(u, 1), done(map[string]int64{job.Logins: 1, job.PerSource(job.Logins, "north"): 1}))
		if got := w.entitled(u); got != "" {
			t.Errorf("%s: may see %s", refusal.body, got)
		}
		want := sdk.FailedGrant{Source: "north", Username: "u1", NIF: "X1234567L", Reason: "not authorised"}
		if len(w.failed) != 1 || w.failed[0] != want || w.queued() != "" {
			t.Errorf("%s: failed %+v, queued %q", refusal.body, w.failed, w.queued())
		}
	}
}

// A login that asks too much rests, in every process; the account was not
// tried. That holds for each call of a listing.
func TestThrottling(t *testing.T) {
	t.Parallel()
	slow := answer{status: 429, body: "Too many requests", header: http.Header{"Retry-After": {"120"}}}
	unsaid := status(429, "Too many requests")
	cases := []struct {
		name       string
		all, alone answer
		rest       time.Duration
	}{
		{"for as long as it says", slow, rows(), 2 * time.Minute},
		{"for a minute, if it does not say", unsaid, rows(), time.Minute},
		{"when a distributor is asked alone", failing("10/2"), slow, 2 * time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say("", c.all)
			w.say("2", c.alone)
			verdict := w.handle(user("u1"), 5) // however often it was tried
			verdict.Counts = nil
			w.is(verdict, job.Verdict{Action: job.Release, Delay: c.rest, Cool: c.rest})
			if len(w.failed) != 0 {
				t.Errorf("failed %v", w.failed)
			}
		})
	}
}

// An account whose password this process cannot decrypt waits for another one.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = fmt.Errorf("%w: number 7", login.ErrKeyUnknown)
	w.is(w.handle(user("u1"), 5), job.Verdict{Action: job.Release, Delay: keyDelay})
	if len(w.log()) != 0 || len(w.failed) != 0 {
		t.Errorf("asked %v, failed %v", w.log(), w.failed)
	}
}

// An account that cannot be listed is tried again with growing delays, and then
// left to the next run: its grants have failed, and what it saw last counts.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := user("u1")
	w.say("", rows(supply("2", cupsA)))
	w.handle(u, 1)
	w.begin("run2")
	w.say("", status(503, "<html>503</html>"))
	for attempt, delay := range retryDelays {
		w.is(w.handle(u, attempt+1), job.Verdict{Action: job.Retry, Delay: delay, Failure: job.Failure{Class: "datadis_unavailable"}})
	}
	if len(w.failed) != 0 || w.queued() != "" {
		t.Fatalf("failed %v, queued %q before the last attempt", w.failed, w.queued())
	}
	w.is(w.handle(u, len(retryDelays)+1), job.Verdict{Action: job.Defer, Failure: job.Failure{Class: "datadis_unavailable"}})
	if len(w.failed) != 1 || !strings.HasPrefix(w.failed[0].Reason, "not listed: ") || w.failed[0].Username != "u1" {
		t.Errorf("failed %+v", w.failed)
	}
	if w.queued() != cupsA || w.entitled(u) != cupsA {
		t.Errorf("queued %q, may see %q", w.queued(), w.entitled(u))
	}
}

// A listing that is interrupted is handed back, not failed.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body, err := user("u1").Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.is(w.Handle(ctx, body, 5), job.Verdict{Action: job.Release})
}

// An item that this engine cannot read is a dead letter.
func TestUnreadableItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	verdict := w.Handle(t.Context(), []byte(`{"v":99,"item":{}}`), 1)
	if verdict.Action != job.Bury || verdict.Failure.Class != "schema" || !strings.Contains(verdict.Failure.Reason, "99") {
		t.Errorf("the verdict is %+v", verdict)
	}
}

// If the engine's own servers fail, the account is tried again, and nothing is
// counted twice.
func TestServersFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = errors.New("redis is down")
	w.is(w.handle(user("u1"), 1), job.Verdict{Action: job.Retry, Delay: retryDelays[0], Failure: job.Failure{Class: "listing_failed"}})
	w.broken = nil
	w.say("", rows(supply("2", cupsA)))
	w.is(w.handle(user("u1"), 2), done(first(1)))
}
