// Package producer is the first step: it asks every source for its grants,
// merges them, so that no account is asked twice, and puts the accounts on the
// users queue.
package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/sdk"
)

// Source is a source under the name of its instance.
type Source struct {
	Name string
	sdk.Source
}

// Identities makes the ids of logins and accounts.
type Identities interface {
	Login(username, password string) string
	Account(username, nif string) string
}

// Queue takes accounts. An account that it knows already is merged.
type Queue interface {
	Merge(ctx context.Context, user job.User) error
}

// Credentials keeps what a login needs, for as long as the run lasts.
type Credentials interface {
	Put(ctx context.Context, login, username string, password sdk.Secret) error
}

// Config of a Producer.
type Config struct {
	Patience    time.Duration // that one source may take to list its grants
	Identities  Identities
	Queue       Queue
	Credentials Credentials
	Logger      *slog.Logger
}

// DefaultPatience is long enough for a source that decrypts thousands of
// passwords.
const DefaultPatience = 10 * time.Minute

// Producer fills the users queue.
type Producer struct{ Config }

// New returns a Producer.
func New(config Config) *Producer {
	if config.Patience <= 0 {
		config.Patience = DefaultPatience
	}
	return &Producer{config}
}

// Report says what the sources handed over.
type Report struct {
	Grants   map[string]int    // by source
	Logins   map[string]int    // by source
	Accounts map[string]int    // by source
	Failed   map[string]string // sources whose listing is not complete, and why
	Merged   int               // accounts on the queue
}

// Run lists the grants of all sources and queues their accounts. A source that
// fails, hangs or names rubbish does not stop the others: it is in the report.
func (p *Producer) Run(ctx context.Context, sources []Source) (Report, error) {
	merged, report, err := p.gather(ctx, sources)
	if err != nil {
		return report, err
	}
	return report, p.push(ctx, merged)
}

// Accounts lists the grants of all sources and returns their accounts, without
// queueing anything.
func (p *Producer) Accounts(ctx context.Context, sources []Source) ([]job.User, Report, error) {
	merged, report, err := p.gather(ctx, sources)
	if err != nil {
		return nil, report, err
	}
	return merged.users(), report, nil
}

// gather lists the grants of all sources and merges them.
func (p *Producer) gather(ctx context.Context, sources []Source) (*merger, Report, error) {
	listings := p.list(ctx, sources)
	if err := ctx.Err(); err != nil {
		return nil, Report{}, err
	}
	merged := newMerger(p.Identities)
	report := Report{
		Grants: make(map[string]int), Logins: make(map[string]int), Accounts: make(map[string]int),
		Failed: make(map[string]string),
	}
	for _, l := range listings {
		report.Grants[l.source] = len(l.grants)
		if l.err != nil {
			report.Failed[l.source] = l.err.Error()
			p.Logger.Error("source failed; its other grants are not known", "source", l.source, "error", l.err)
		}
		for i, g := range l.grants {
			if err := merged.add(l.source, g); err != nil {
				p.Logger.Warn("grant left out", "source", l.source, "grant", name(g, i), "error", err)
			}
		}
	}
	merged.count(&report)
	return merged, report, nil
}

// listing is what one source handed over.
type listing struct {
	source string
	grants []sdk.Grant
	err    error
}

// list asks all sources at once.
func (p *Producer) list(ctx context.Context, sources []Source) []listing {
	listings := make([]listing, len(sources))
	var group errgroup.Group
	for i, source := range sources {
		group.Go(func() error {
			listings[i] = p.listOne(ctx, source)
			return nil
		})
	}
	_ = group.Wait() // each listing carries its own error
	return listings
}

// fallen is the error of a source whose process ended meanwhile. The source has
// another for the next call.
type fallen interface {
	error
	// ByItself is false if somebody killed the process.
	ByItself() bool
}

// maxCrashes is how often a source may crash while it lists its grants.
const maxCrashes = 2

func (p *Producer) listOne(ctx context.Context, source Source) listing {
	ctx, cancel := context.WithTimeoutCause(ctx, p.Patience,
		fmt.Errorf("it took longer than %s to list its grants", p.Patience))
	defer cancel()
	l := listing{source: source.Name}
	var before []sdk.Grant // of an attempt that failed: better than nothing
	for crashes := 0; ; {
		l.grants = nil
		l.err = source.ListGrants(ctx, func(g sdk.Grant) error {
			l.grants = append(l.grants, g)
			return ctx.Err()
		})
		var f fallen
		if !errors.As(l.err, &f) || ctx.Err() != nil {
			break
		}
		if f.ByItself() {
			crashes++
		}
		if crashes >= maxCrashes {
			break
		}
		if len(l.grants) > len(before) {
			before = l.grants
		}
		p.Logger.Warn("the source's process ended; its grants are listed again", "source", source.Name, "error", l.err)
	}
	if l.err != nil && len(l.grants) < len(before) {
		l.grants = before
	}
	if cause := context.Cause(ctx); cause != nil && l.err != nil {
		l.err = cause
	}
	return l
}

// push stores the logins first: an account on the queue can be claimed at once.
func (p *Producer) push(ctx context.Context, m *merger) error {
	for id, login := range m.logins {
		if err := p.Credentials.Put(ctx, id, login.username, login.password); err != nil {
			return fmt.Errorf("store the credentials of a login: %w", err)
		}
	}
	crash.Here(crash.CredentialsKept)
	for _, user := range m.users() {
		if err := p.Queue.Merge(ctx, user); err != nil {
			return fmt.Errorf("queue account %s: %w", user.Account, err)
		}
		crash.Here(crash.AccountQueued)
	}
	return nil
}

func name(g sdk.Grant, i int) string {
	if g.Key != "" {
		return g.Key
	}
	return fmt.Sprintf("#%d", i+1)
}
