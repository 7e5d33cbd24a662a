package worker

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
)

// crashDelay is how long an item waits that made a step panic.
const crashDelay = 10 * time.Second

// panicked is a panic of a step: a defect of the engine that one item brings
// to light. It costs that item an attempt, and the others in hand nothing.
type panicked struct{ what string }

// failure is what the list of dead letters says of it.
func (c *panicked) failure() queue.Failure {
	return queue.Failure{Class: "panic", Reason: "the step panicked: " + c.what + "; the log has the stack"}
}

// step hands the item to the step. Its verdict counts only if it did not panic.
func (p *Pool) step(ctx context.Context, lease *queue.Lease) (verdict job.Verdict, crash *panicked) {
	held, release := lease.Context(ctx)
	defer release()
	defer func() {
		if value := recover(); value != nil {
			crash = &panicked{describe(value)}
			p.Logger.Error("a step panicked; the item counts as one that kills its worker",
				"panic", crash.what, "attempt", lease.Attempt(), "stack", string(debug.Stack()))
		}
	}()
	return p.Step.Handle(held, lease.Body(), lease.Attempt()), nil
}

// describe says what a panic was about. Only the runtime's own texts are shown:
// any other value may hold what an answer or a login says.
func describe(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", value)
}
