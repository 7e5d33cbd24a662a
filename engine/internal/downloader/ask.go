package downloader

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/trace"
	"github.com/datadis-engine/datadis/sdk"
)

// ask makes one guarded query, and sees what it answers through to the ledger.
// It returns an error if the account is refused, now or lately, and those of the engine's own
// servers; other failures of Datadis are noted in the ledger and in the task.
func (t *task) ask(ctx context.Context, s *session, access job.Access, ask ledger.Ask) (err error) {
	key := queryKey(access, ask)
	if until, blocked := t.book.Blocked(key, t.Now()); blocked && !t.forgiven(ask) {
		return t.askedLately(key, ask, until)
	}
	ctx, span := t.trace(ctx, ask)
	defer func() { span.End(err) }()
	query := datadis.Query{
		NIF: access.NIF, CUPS: access.CUPS, Distributor: access.Distributor,
		Series: ask.Series, From: ask.From, To: ask.To, PointType: access.PointType,
	}
	answer, asked, err := t.fetch(ctx, s, key, query)
	if !asked {
		return err
	}
	switch {
	case errors.Is(err, datadis.ErrNoData):
		t.counts.Count(job.Asked, 1)
		t.Observe(ask.Series, Empty, len(ask.Keys()))
		return t.book.Record(ctx, key, nothing(ask, access)...)
	case err != nil:
		return t.failed(ctx, key, ask, err)
	}
	t.counts.Count(job.Asked, 1)
	return t.answered(ctx, key, ask, Copy{Query: query, Account: access.Account, Answer: answer}, access)
}

// trace begins the span of what a query asks for.
func (t *task) trace(ctx context.Context, ask ledger.Ask) (context.Context, *trace.Span) {
	return trace.Begin(ctx, "chunk", "run", t.Run, "cups", string(t.cups),
		"series", ask.Series.String(), "from", ask.From.String(), "to", ask.To.String())
}

// fetch asks, once it is this query's turn: an intent that is written long before
// its call would cost a day if the process died meanwhile. It reports false if
// the call was not made.
func (t *task) fetch(ctx context.Context, s *session, key ledger.QueryKey, query datadis.Query) (_ datadis.Answer, asked bool, err error) {
	if t.Places != nil {
		select {
		case t.Places <- struct{}{}:
			defer func() { <-t.Places }()
		case <-t.Stopping:
		case <-ctx.Done():
			return datadis.Answer{}, false, context.Cause(ctx)
		}
	}
	if t.over() {
		return datadis.Answer{}, false, nil
	}
	if err := t.book.Intend(ctx, key); err != nil { // invariant 1
		return datadis.Answer{}, false, err
	}
	ctx, span := trace.Begin(ctx, "ask")
	defer func() { span.End(err) }()
	crash.Here(crash.Intended)
	answer, err := s.Fetch(ctx, query)
	crash.Here(crash.Answered)
	span.Set("bytes", strconv.Itoa(len(answer.Body)))
	return answer, true, err
}

// keep keeps an answer as it came.
func (t *task) keep(ctx context.Context, copy Copy) (at *ledger.Location, err error) {
	ctx, span := trace.Begin(ctx, "keep")
	defer func() { span.End(err) }()
	if at, err = t.Outlet.Raw(ctx, copy); err != nil {
		err = fmt.Errorf("keep the raw copy: %w", err)
	}
	return at, err
}

// answered keeps, decodes, publishes and records an answer, in this order.
func (t *task) answered(ctx context.Context, key ledger.QueryKey, ask ledger.Ask, copy Copy, access job.Access) error {
	at, err := t.keep(ctx, copy) // invariant 2: nothing is read before this returned
	if err != nil {
		return err
	}
	crash.Here(crash.RawPublished)
	if at != nil {
		if err := t.book.Keep(ctx, key, *at); err != nil { // invariant 3
			return err
		}
	}
	crash.Here(crash.Kept)
	return t.absorb(ctx, key, ask, at, copy, access)
}

// absorb decodes, publishes and records an answer that is kept.
func (t *task) absorb(ctx context.Context, key ledger.QueryKey, ask ledger.Ask, at *ledger.Location, copy Copy, access job.Access) error {
	chunks, report, err := datadis.Decode(copy.Answer.Body, copy.Query.Shape())
	if err != nil {
		return t.unreadable(ctx, key, ask, err)
	}
	if err := report.Failure(); err != nil {
		return t.unreadable(ctx, key, ask, err)
	}
	t.remark(report, ask)
	answers, err := t.publish(ctx, chunks, ask, at, copy, access)
	if err != nil {
		return err
	}
	crash.Here(crash.Published) // invariant 4: all parts are acknowledged here, and then recorded
	defer crash.Here(crash.Recorded)
	return t.book.Record(ctx, key, answers...)
}

// unreadable notes an answer that says nothing. Datadis has counted it, so it
// is not asked again within a day; the raw copy is kept.
func (t *task) unreadable(ctx context.Context, key ledger.QueryKey, ask ledger.Ask, cause error) error {
	t.log.Warn("answer without use; asked again after a day", "series", ask.Series, "from", ask.From, "to", ask.To, "error", cause)
	t.counts.Count(job.Failed, 1)
	t.Observe(ask.Series, Failed, len(ask.Keys()))
	t.left(ask)
	return t.book.Fail(ctx, key, ledger.Unreadable, ask.Keys()...)
}

// remark logs what was odd about an answer. Nothing of it is lost: the raw
// copy has it.
func (t *task) remark(r datadis.Report, ask ledger.Ask) {
	odd := r.Bad + r.Foreign + r.Outside + r.Impossible + r.Padding + r.Duplicates
	if odd == 0 {
		return
	}
	t.log.Info("rows left out of an answer", "series", ask.Series, "from", ask.From, "to", ask.To, "rows", r.Rows,
		"bad", r.Bad, "foreign", r.Foreign, "outside", r.Outside, "impossible", r.Impossible,
		"padding", r.Padding, "duplicates", r.Duplicates)
}

// failed deals with a call that was not answered.
func (t *task) failed(ctx context.Context, key ledger.QueryKey, ask ledger.Ask, err error) error {
	if ctx.Err() != nil {
		return err
	}
	var e *datadis.Error
	if !errors.As(err, &e) {
		return err
	}
	t.counts.Count(job.Failed, 1)
	result := Failed
	if errors.Is(err, datadis.ErrRepeated) {
		result = Repeated
	}
	t.Observe(ask.Series, result, len(ask.Keys()))
	switch {
	case errors.Is(err, datadis.ErrRepeated):
		t.counts.Count(job.Refused, 1)
		t.log.Warn("Datadis says it was asked before; deferred", "series", ask.Series, "from", ask.From, "to", ask.To)
		err := t.book.Fail(ctx, key, ledger.Repeated, ask.Keys()...)
		t.postpone(key, ask)
		return err
	case errors.Is(err, datadis.ErrThrottled):
		t.cool = max(e.RetryAfter, restAfterThrottle)
		return t.book.Fail(ctx, key, ledger.Limited, ask.Keys()...)
	case errors.Is(err, datadis.ErrUnauthorised):
		return errors.Join(err, t.book.Fail(ctx, key, ledger.Unauthorised)) // of the chunks, the other accounts have a say
	case errors.Is(err, datadis.ErrBadCredentials):
		return errors.Join(err, t.book.Fail(ctx, key, ledger.Interrupted, ask.Keys()...))
	case errors.Is(err, datadis.ErrInvalidRequest):
		t.left(ask)
		t.log.Warn("Datadis does not accept the query", "series", ask.Series, "from", ask.From, "to", ask.To, "error", err)
		return t.book.Fail(ctx, key, ledger.Rejected, ask.Keys()...)
	}
	t.failure = err
	class := ledger.Unavailable
	switch {
	case !t.last && ask.From == ask.To, errors.Is(err, datadis.ErrResting):
		class = ledger.Interrupted // tried again soon, or not even sent: it costs no try
	case e.MaybeRegistered:
		class = ledger.TimedOut
	}
	return t.book.Fail(ctx, key, class, ask.Keys()...)
}

// soon is how long a run waits for Datadis to repeat an answer. The day that it
// takes is longer than a run lasts, but in a simulation it may be seconds.
const soon = 10 * time.Minute

// postpone leaves a query that Datadis refused to repeat to a later attempt, or
// to a later run.
func (t *task) postpone(key ledger.QueryKey, ask ledger.Ask) {
	until, _ := t.book.Blocked(key, t.Now())
	if wait := until.Sub(t.Now()); wait > 0 && wait < soon {
		t.later = max(t.later, wait)
		return
	}
	t.left(ask)
}

// left counts the chunks of a query that another run has to make.
func (t *task) left(ask ledger.Ask) { t.counts.Count(job.Left, int64(len(ask.Keys()))) }

// nothing is the answer that there is no data.
func nothing(ask ledger.Ask, access job.Access) []ledger.Answer {
	answers := make([]ledger.Answer, 0, ask.To-ask.From+1)
	for _, key := range ask.Keys() {
		answers = append(answers, ledger.Answer{Key: key, Expected: ledger.Expected(key, access.ValidFrom)})
	}
	return answers
}

// publish hands on what the chunks of an answer hold that the sources lack, and
// says what to record of each month that was asked for.
func (t *task) publish(ctx context.Context, chunks []*sdk.Chunk, ask ledger.Ask, at *ledger.Location, copy Copy, access job.Access) ([]ledger.Answer, error) {
	byMonth := make(map[sdk.Month]*sdk.Chunk, len(chunks))
	for _, c := range chunks {
		byMonth[c.Month] = c
	}
	answers := nothing(ask, access)
	var out []*sdk.Chunk
	for i := range answers {
		a := &answers[i]
		a.At, a.Raw = copy.Answer.ReceivedAt, at
		if c := byMonth[a.Month]; c != nil && c.Len() > 0 {
			a.Covered, a.Hash = c.Covered(), c.Hash
			c.FetchedAt = copy.Answer.ReceivedAt
			out = append(out, t.lacking(c, a)...)
			continue
		}
		t.Observe(ask.Series, Empty, 1)
	}
	if len(out) == 0 {
		return answers, nil
	}
	if err := t.Outlet.Chunks(ctx, out); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	t.count(out, Published)
	return answers, nil
}

// lacking is the chunk once for each source that does not have its content yet,
// and notes those sources in the answer.
func (t *task) lacking(c *sdk.Chunk, a *ledger.Answer) []*sdk.Chunk {
	cell, _ := t.book.Cell(a.Key)
	verdict, revision := cell.Compare(a.Covered, a.Hash)
	switch verdict {
	case ledger.Shrunk:
		t.counts.Count(job.Shrunk, 1)
		t.Observe(c.Series, Shrunk, 1)
		t.log.Warn("fewer hours than known; kept raw, not published", "chunk", a.Key, "covered", a.Covered, "known", cell.Covered)
		return nil
	case ledger.Unchanged:
		t.counts.Count(job.Unchanged, 1)
		t.Observe(c.Series, Unchanged, 1)
	case ledger.Nothing:
		return nil
	}
	var out []*sdk.Chunk
	for _, source := range t.device.Sources() {
		if verdict == ledger.Unchanged && t.book.Delivered(a.Key, source) == revision {
			continue
		}
		a.Delivered = append(a.Delivered, source)
		out = append(out, t.addressed(c, source, revision))
	}
	return out
}

// addressed is the chunk for one source. The columns are shared.
func (t *task) addressed(c *sdk.Chunk, source string, revision uint32) *sdk.Chunk {
	one := *c
	one.Run, one.Source, one.Revision = t.Run, source, revision
	return &one
}

// count counts what was published.
func (t *task) count(chunks []*sdk.Chunk, result Result) {
	for _, c := range chunks {
		t.Observe(c.Series, result, 1)
		t.counts.Count(job.PerSource(job.Chunks, c.Source), 1)
		t.counts.Count(job.PerSource(job.Readings, c.Source), int64(c.Len()))
	}
}
