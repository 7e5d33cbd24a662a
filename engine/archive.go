package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// archive keeps what is to be known of runs once their queues are gone: in
// local mode those live no longer than the process.
type archive struct{ store store.Store }

// The keys of the archive, one for each run.
const (
	summaryPrefix = "run:"
	summaryField  = "summary"
)

// deadLetter is an item that could not be done.
type deadLetter = view.Letter

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
	return desk.Letters{Store: a.store}.Save(ctx, run, letters...)
}

// finished is what is kept of runs, as people see it.
func (a archive) finished(ctx context.Context) ([]view.Run, error) {
	list, err := a.runs(ctx)
	shown := make([]view.Run, len(list))
	for i, s := range list {
		shown[i] = s.view()
	}
	return shown, err
}
