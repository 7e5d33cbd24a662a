package run

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Beat says that the producer is at work.
func (r *Registry) Beat(ctx context.Context, id, producer string) error {
	_, err := r.producers(ctx, id, producer, "beat")
	return err
}

// Done says that the producer has queued all of its accounts, and which of its
// sources failed.
func (r *Registry) Done(ctx context.Context, id, producer string, failed map[string]string) error {
	for source, reason := range failed {
		if err := r.client.HSet(ctx, runKey(id), failedPrefix+source, reason).Err(); err != nil {
			return fmt.Errorf("note a failed source of run %s: %w", id, err)
		}
	}
	_, err := r.producers(ctx, id, producer, "done")
	return err
}

// Producing tells whether a producer is at work. One that was silent for too
// long is not, and the run remembers that it was lost.
func (r *Registry) Producing(ctx context.Context, id string) (bool, error) {
	active, err := r.producers(ctx, id, "", "look")
	return active > 0, err
}

func (r *Registry) producers(ctx context.Context, id, producer, what string) (int, error) {
	active, err := producersScript.Run(ctx, r.client, []string{runKey(id), producersKey(id)},
		what, producer, r.silent.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("producers of run %s: %w", id, err)
	}
	return active, nil
}

// Fail adds grants of which nothing may be concluded in the run.
func (r *Registry) Fail(ctx context.Context, id string, failed ...sdk.FailedGrant) error {
	values := make([]any, len(failed))
	for i, f := range failed {
		value, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("note a failed grant of run %s: %w", id, err)
		}
		values[i] = value
	}
	if len(values) == 0 {
		return nil
	}
	if err := r.client.SAdd(ctx, failedKey(id), values...).Err(); err != nil {
		return fmt.Errorf("note a failed grant of run %s: %w", id, err)
	}
	return nil
}

// Failed lists the failed grants of a run.
func (r *Registry) Failed(ctx context.Context, id string) ([]sdk.FailedGrant, error) {
	values, err := r.client.SMembers(ctx, failedKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read the failed grants of run %s: %w", id, err)
	}
	failed := make([]sdk.FailedGrant, len(values))
	for i, value := range values {
		if err := json.Unmarshal([]byte(value), &failed[i]); err != nil {
			return nil, fmt.Errorf("read the failed grants of run %s: %w", id, err)
		}
	}
	return failed, nil
}

// Cancel asks for a run to be ended as it is.
func (r *Registry) Cancel(ctx context.Context, id string) error {
	return r.set(ctx, id, "cancelled", "1")
}

// CancelLogin asks for what waits of a login's accounts to be left out of a run.
func (r *Registry) CancelLogin(ctx context.Context, id, login string) error {
	return r.set(ctx, id, cancelPrefix+login, "1")
}

// Mark notes that the run's end is marked in the data topics.
func (r *Registry) Mark(ctx context.Context, id string) error {
	return r.set(ctx, id, "marked", "1")
}

// Seal notes that nobody may join the run any more. One that another process
// finished meanwhile stays finished.
func (r *Registry) Seal(ctx context.Context, id string) error {
	if err := sealScript.Run(ctx, r.client, []string{runKey(id)}).Err(); err != nil {
		return fmt.Errorf("seal run %s: %w", id, err)
	}
	return nil
}

func (r *Registry) set(ctx context.Context, id, field, value string) error {
	if err := r.client.HSet(ctx, runKey(id), field, value).Err(); err != nil {
		return fmt.Errorf("note %s of run %s: %w", field, id, err)
	}
	return nil
}

// announceLease is how long one process may take to announce the end of a run,
// before another does it.
const announceLease = time.Minute

// Announce tells whether this process is the one to announce the end of the
// run. If it dies, another is.
func (r *Registry) Announce(ctx context.Context, id, process string) (bool, error) {
	mine, err := r.client.SetNX(ctx, finalKey(id), process, announceLease).Result()
	if err != nil {
		return false, fmt.Errorf("announce the end of run %s: %w", id, err)
	}
	return mine, nil
}

// Finish notes that the end of the run was announced. The policy's next
// producer opens a new one.
func (r *Registry) Finish(ctx context.Context, id string, outcome sdk.Outcome, at time.Time) error {
	run, err := r.Get(ctx, id)
	if err != nil {
		return err
	}
	err = finishScript.Run(ctx, r.client, []string{runKey(id), currentKey}, id, run.Policy, string(outcome), text(at)).Err()
	if err != nil {
		return fmt.Errorf("finish run %s: %w", id, err)
	}
	return nil
}

// Overdue tells whether the run is past its deadline, by the clock of Redis.
func (r *Registry) Overdue(ctx context.Context, run Run) (bool, error) {
	now, err := r.client.Time(ctx).Result()
	if err != nil {
		return false, fmt.Errorf("deadline of run %s: %w", run.ID, err)
	}
	return now.After(run.Deadline), nil
}
