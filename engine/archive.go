package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/store"
)

// archive keeps what is to be known of runs once their queues are gone: in
// local mode those live no longer than the process.
type archive struct{ store store.Store }

// The keys of the archive, one for each run.
const (
	summaryPrefix = "run:"
	deadPrefix    = "dead:"
	summaryField  = "summary"
)

// deadLetter is an item that could not be done.
type deadLetter struct {
	Run      string    `json:"run"`
	Queue    string    `json:"queue"` // users or devices
	ID       string    `json:"id"`    // login and account, or CUPS
	Sources  []string  `json:"sources"`
	Class    string    `json:"class"`
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Body     string    `json:"body,omitempty"` // as it was queued
}

// saveRun keeps what came of a run.
func (a archive) saveRun(ctx context.Context, s summary) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep the summary of run %s: %w", s.Run, err)
	}
	return a.store.Put(ctx, summaryPrefix+s.Run, map[string][]byte{summaryField: value})
}

// runs lists what is kept of runs, the newest first.
func (a archive) runs(ctx context.Context) ([]summary, error) {
	var list []summary
	err := a.store.Keys(ctx, summaryPrefix, func(key string) error {
		fields, err := a.store.Get(ctx, key)
		if err != nil {
			return err
		}
		var s summary
		if err := json.Unmarshal(fields[summaryField], &s); err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		list = append(list, s)
		return nil
	})
	slices.SortFunc(list, func(a, b summary) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Run, a.Run)) })
	return list, err
}

// saveDead keeps the dead letters of a run.
func (a archive) saveDead(ctx context.Context, run string, letters []deadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	fields := make(map[string][]byte, len(letters))
	for _, l := range letters {
		value, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("keep the dead letters of run %s: %w", run, err)
		}
		fields[l.Queue+"/"+l.ID] = value
	}
	return a.store.Put(ctx, deadPrefix+run, fields)
}

// dead lists the dead letters of all runs, the latest first.
func (a archive) dead(ctx context.Context) ([]deadLetter, error) {
	var list []deadLetter
	err := a.store.Keys(ctx, deadPrefix, func(key string) error {
		fields, err := a.store.Get(ctx, key)
		if err != nil {
			return err
		}
		for field, value := range fields {
			var l deadLetter
			if err := json.Unmarshal(value, &l); err != nil {
				return fmt.Errorf("read %s of %s: %w", field, key, err)
			}
			list = append(list, l)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b deadLetter) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) })
	return list, err
}
