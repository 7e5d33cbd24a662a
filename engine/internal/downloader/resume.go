package downloader

import (
	"context"
	"errors"
	"fmt"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
)

// resume goes on with answers that reached the raw topic, but were not recorded
// because whoever asked died: Datadis would refuse to repeat them.
func (t *task) resume(ctx context.Context) error {
	for key, at := range t.book.Kept() {
		if err := t.resumeOne(ctx, key, at); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) resumeOne(ctx context.Context, key ledger.QueryKey, at ledger.Location) (err error) {
	if t.Copies == nil {
		return t.book.Fail(ctx, key, ledger.Unreadable)
	}
	copy, err := t.copyAt(ctx, at)
	if errors.Is(err, ErrGone) {
		t.log.Warn("an answer that was kept is gone; it is asked for again when Datadis allows it")
		return t.book.Fail(ctx, key, ledger.Unreadable)
	}
	if err != nil {
		return fmt.Errorf("open the raw copy of an answer that was not recorded: %w", err)
	}
	ask := ledger.Ask{Series: copy.Query.Series, From: copy.Query.From, To: copy.Query.To}
	ctx, span := t.trace(ctx, ask)
	defer func() { span.End(err) }()
	t.log.Info("going on with an answer that was kept", "series", ask.Series, "from", ask.From, "to", ask.To)
	t.counts.Count(job.FromRaw, 1)
	return t.absorb(ctx, key, ask, &at, copy, t.accessOf(copy.Account))
}

// accessOf is the access of an account, or the first one if it is not among
// those of the supply any more.
func (t *task) accessOf(account string) job.Access {
	for _, access := range t.device.Accesses {
		if access.Account == account {
			return access
		}
	}
	return t.device.Accesses[0]
}

// copyAt opens a raw copy. One of another supply is as good as gone: the topic
// was made anew, and what lies there now belongs to somebody else.
func (t *task) copyAt(ctx context.Context, at ledger.Location) (Copy, error) {
	copy, err := t.Copies.Open(ctx, at)
	if err == nil && copy.Query.CUPS.Key() != t.cups.Key() {
		t.log.Warn("where a raw copy was, there is one of another supply; was the raw topic made anew?", "partition", at.Partition, "offset", at.Offset)
		return Copy{}, ErrGone
	}
	return copy, err
}
