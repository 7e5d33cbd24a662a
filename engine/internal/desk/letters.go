package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Letters keeps dead letters in the store: those of runs whose queues are gone,
// and those that wait for the next producer. There is a key for each run, and in
// it a field for each letter.
type Letters struct{ Store Store }

const lettersPrefix = "dead:"

func letterField(l view.Letter) string { return l.Queue + "/" + l.ID }

// Save keeps letters of one run.
func (k Letters) Save(ctx context.Context, run string, letters ...view.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	fields := make(map[string][]byte, len(letters))
	for _, l := range letters {
		value, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("keep the dead letters of run %s: %w", run, err)
		}
		fields[letterField(l)] = value
	}
	return k.Store.Put(ctx, lettersPrefix+run, fields)
}

// Forget removes letters of one run.
func (k Letters) Forget(ctx context.Context, run string, letters ...view.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	fields := make([]string, len(letters))
	for i, l := range letters {
		fields[i] = letterField(l)
	}
	return k.Store.Put(ctx, lettersPrefix+run, nil, fields...)
}

// All lists what is kept, in no order.
func (k Letters) All(ctx context.Context) ([]view.Letter, error) {
	var letters []view.Letter
	err := k.Store.Keys(ctx, lettersPrefix, func(key string) error {
		fields, err := k.Store.Get(ctx, key)
		if err != nil {
			return err
		}
		for _, value := range fields {
			var l view.Letter
			if err := json.Unmarshal(value, &l); err != nil {
				return fmt.Errorf("read a dead letter of run %s: %w", strings.TrimPrefix(key, lettersPrefix), err)
			}
			letters = append(letters, l.Named())
		}
		return nil
	})
	return letters, err
}

// Dead lists the dead letters of a run's queues.
func Dead(ctx context.Context, run string, users, devices *queue.Queue) ([]view.Letter, error) {
	var letters []view.Letter
	for _, one := range []struct {
		name  string
		queue *queue.Queue
	}{{view.Users, users}, {view.Devices, devices}} {
		items, err := one.queue.Dead(ctx, queue.DeadFilter{})
		if err != nil {
			return nil, fmt.Errorf("dead letters of run %s: %w", run, err)
		}
		for _, item := range items {
			letters = append(letters, letterOf(run, one.name, item))
		}
	}
	return letters, nil
}

func letterOf(run, name string, item queue.DeadItem) view.Letter {
	l := view.Letter{
		Run: run, Queue: name, ID: item.ID, Class: item.Class, Reason: item.Reason,
		Attempts: max(item.Attempts+item.Crashes, len(item.History)), First: item.First, Last: item.Last, Body: string(item.Body),
	}
	for _, a := range item.History {
		l.History = append(l.History, view.Failure{At: a.At, Class: a.Class, Reason: a.Reason})
	}
	l.Sources, l.Accounts = holders(name, item.Body)
	return l.Named()
}

// holders names the sources and accounts of an item; none if it cannot be read,
// which may be what it died of.
func holders(name string, body []byte) (sources, accounts []string) {
	if name == view.Users {
		user, err := job.DecodeUser(body)
		if err != nil {
			return nil, nil
		}
		return user.Sources(), []string{user.Account}
	}
	device, err := job.DecodeDevice(body)
	if err != nil {
		return nil, nil
	}
	for _, a := range device.Accesses {
		accounts = append(accounts, a.Account)
	}
	return device.Sources(), accounts
}

// all lists every dead letter: those kept, and those that lie in queues.
func (d *Desk) all(ctx context.Context) ([]view.Letter, error) {
	letters, err := d.letters.All(ctx)
	if err != nil || d.Registry == nil {
		return letters, err
	}
	kept := make(map[string]bool, len(letters))
	for _, l := range letters {
		kept[l.Run+"/"+letterField(l)] = true
	}
	runs, err := d.Registry.Recent(ctx, recent)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		users, devices := d.Queues(r.ID)
		live, err := Dead(ctx, r.ID, users, devices)
		if err != nil {
			return nil, err
		}
		for _, l := range live {
			if !kept[l.Run+"/"+letterField(l)] {
				letters = append(letters, l)
			}
		}
	}
	return letters, nil
}

// queueOfLetter is the queue that a letter died in; nil where queues are gone.
func (d *Desk) queueOfLetter(l view.Letter) *queue.Queue {
	if d.Queues == nil {
		return nil
	}
	users, devices := d.Queues(l.Run)
	if l.Queue == view.Users {
		return users
	}
	return devices
}

// drop removes a letter from wherever it lies.
func (d *Desk) drop(ctx context.Context, l view.Letter) error {
	if q := d.queueOfLetter(l); q != nil {
		if err := q.Drop(ctx, l.ID); err != nil && !errors.Is(err, queue.ErrNotDead) {
			return err
		}
	}
	return d.letters.Forget(ctx, l.Run, l)
}
