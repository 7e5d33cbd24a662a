package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/plugins/internal/users"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
)

// source hands over the users that a query yields. It runs the query anew for
// each listing, and keeps no user longer than it takes to send it.
type source struct {
	server  server
	query   string
	secret  sdk.Secret
	timeout time.Duration
	logger  func(context.Context) *slog.Logger // for a call
}

// server is a database server. A listing has a connection of its own, and a
// transaction that can write nothing.
type server interface {
	// list runs the query. It calls head once, then row for each row, whose
	// cells are texts, nil where NULL, and valid until row returns. Without row
	// the query only tells its columns.
	list(ctx context.Context, query string, timeout time.Duration, head func([]column) error, row func([][]byte) error) error
	ping(ctx context.Context) error
}

// reasonQuery marks an error of the query, as against one of the connection.
const reasonQuery = "query"

// queryError says that the query cannot be used.
func queryError(err error) error {
	return &sdk.Error{Kind: sdk.Precondition, Reason: reasonQuery, Origin: sdk.FromDownstream, Err: err}
}

// errTooSlow is why a listing was cut short.
var errTooSlow = errors.New("the listing took longer than its timeout; narrow the query, or raise timeout")

// tableName is what problems call the result of the query.
const tableName = "query"

// ListGrants implements [sdk.Source]. A bad row does not keep the others back:
// they are sent, and the error that follows names the bad ones.
func (s *source) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	within, cancel := context.WithTimeoutCause(ctx, s.timeout, errTooSlow)
	defer cancel()
	group, groupCtx := errgroup.WithContext(within)
	workers := runtime.GOMAXPROCS(0)
	group.SetLimit(workers + 1) // and the reader
	queue := make(chan *pending, workers)
	group.Go(func() error {
		defer close(queue)
		return s.read(groupCtx, group, queue)
	})
	bad := users.Problems{Limit: users.MaxListed}
	refused := s.forward(groupCtx, queue, &bad, send)
	if refused != nil {
		cancel()
	}
	err := group.Wait()
	switch {
	case refused != nil:
		return refused
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(context.Cause(within), errTooSlow):
		return sdk.Later(errTooSlow, 0)
	case err != nil:
		return err
	}
	if err := bad.Join(tableName); err != nil {
		return sdk.Reject("bad_rows", err)
	}
	return nil
}

// pending is a row on its way: its password may still be encrypted.
type pending struct {
	place string
	cells users.Cells
	row   users.Row
	err   error
	ready chan struct{} // closed when row, or err, is there
}

// read reads the query's rows into the queue, in their order. Decrypting takes a
// core some 30 ms a row, so that is done by several workers, ahead of the row
// that is being sent.
func (s *source) read(ctx context.Context, group *errgroup.Group, queue chan<- *pending) error {
	var t *table
	head := func(columns []column) (err error) {
		t, err = newTable(columns)
		return err
	}
	return s.server.list(ctx, s.query, s.timeout, head, func(values [][]byte) error {
		p := &pending{ready: make(chan struct{})}
		p.place, p.cells, p.err = t.cells(values)
		if s.secret.Empty() || p.err != nil {
			p.finish(s.secret)
		} else {
			group.Go(func() error {
				p.finish(s.secret)
				return nil
			})
		}
		select {
		case queue <- p:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// finish makes a grant of the row's cells.
func (p *pending) finish(secret sdk.Secret) {
	defer close(p.ready)
	if p.err == nil && !secret.Empty() && p.cells.Password != "" {
		plain, err := password.Decrypt(secret.Reveal(), p.cells.Password)
		if err != nil {
			p.err = fmt.Errorf("%s: password cannot be decrypted: %w", p.place, err)
		}
		p.cells.Password = plain
	}
	if p.err == nil {
		p.row, p.err = p.cells.Row(p.place)
	}
}

// forward sends the rows of the queue. An error of it is one of send; where the
// context ends, that of the reader says why.
func (s *source) forward(ctx context.Context, queue <-chan *pending, bad *users.Problems, send func(sdk.Grant) error) error {
	log := s.logger(ctx)
	for p := range queue {
		<-p.ready
		if ctx.Err() != nil {
			continue
		}
		if p.err != nil {
			bad.Add(p.err)
			continue
		}
		for _, warning := range p.row.Warnings {
			log.WarnContext(ctx, "a user of the query looks wrong", "at", p.place, "warning", warning)
		}
		if p.row.WantsNothing() {
			continue
		}
		if err := send(p.row.Grant); err != nil {
			return err
		}
	}
	return nil
}

// CheckHealth implements [plugin.HealthChecker].
func (s *source) CheckHealth(ctx context.Context) error { return s.server.ping(ctx) }
