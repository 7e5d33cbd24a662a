package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Letters lists the dead letters that the filter selects, the latest first,
// with all that is known of them: mask them before they are shown.
func (d *Desk) Letters(ctx context.Context, f view.LetterFilter) ([]view.Letter, error) {
	all, err := d.all(ctx)
	if err != nil {
		return nil, err
	}
	selected := slices.DeleteFunc(all, func(l view.Letter) bool { return !f.Selects(l) })
	slices.SortFunc(selected, func(a, b view.Letter) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Run, b.Run))
	})
	return selected, nil
}

// Retry tries the selected letters again: in their run while it is open, else in
// the next one. What could not be done of it is in the list; the error is of the
// servers as a whole.
func (d *Desk) Retry(ctx context.Context, f view.LetterFilter) ([]view.Acted, error) {
	return d.act(ctx, f, d.retry)
}

// Drop forgets the selected letters.
func (d *Desk) Drop(ctx context.Context, f view.LetterFilter) ([]view.Acted, error) {
	return d.act(ctx, f, func(ctx context.Context, l view.Letter) (string, error) {
		return "dropped", d.drop(ctx, l)
	})
}

func (d *Desk) act(ctx context.Context, f view.LetterFilter, act func(context.Context, view.Letter) (string, error)) ([]view.Acted, error) {
	letters, err := d.Letters(ctx, f)
	if err != nil {
		return nil, err
	}
	acted := make([]view.Acted, 0, len(letters))
	for _, l := range letters {
		one := view.Acted{Letter: l}
		if one.Became, err = act(ctx, l); err != nil {
			if ctx.Err() != nil {
				return acted, err
			}
			one.Became, one.Reason = "failed", err.Error()
		}
		acted = append(acted, one)
	}
	return acted, nil
}

// retry reopens a letter in its run, or hands it over.
func (d *Desk) retry(ctx context.Context, l view.Letter) (string, error) {
	if q := d.queueOfLetter(l); q != nil && l.HandedOver.IsZero() {
		err := q.Reopen(ctx, l.ID)
		if err == nil {
			return "retried", d.letters.Forget(ctx, l.Run, l)
		}
		if !errors.Is(err, queue.ErrSealed) && !errors.Is(err, queue.ErrNotDead) {
			return "", err
		}
	}
	if l.HandedOver.IsZero() {
		l.HandedOver = time.Now().UTC()
		// Kept first, so that a crash in between leaves it twice and not lost.
		if err := d.letters.Save(ctx, l.Run, l); err != nil {
			return "", err
		}
	}
	if q := d.queueOfLetter(l); q != nil {
		if err := q.Drop(ctx, l.ID); err != nil && !errors.Is(err, queue.ErrNotDead) {
			return "", err
		}
	}
	return "handed_over", nil
}
