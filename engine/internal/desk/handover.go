package desk

import (
	"context"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Handover gives a run the dead letters of runs that are over, once the run
// comes to their accounts and supplies. A letter of a supply that nobody lists
// any more stays where it is.
type Handover struct {
	letters Letters

	mu   sync.Mutex
	read time.Time
	left map[string][]view.Letter // by queue and id
}

// NewHandover returns the letters that wait in the store.
func NewHandover(store Store) *Handover { return &Handover{letters: Letters{store}} }

// lookAgain is how long what was read of the store is believed.
const lookAgain = 15 * time.Second

// Waiting tells whether an item is to be tried again.
func (h *Handover) Waiting(ctx context.Context, queue, id string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.read) > lookAgain {
		if err := h.refresh(ctx); err != nil {
			return false, err
		}
	}
	return len(h.left[queue+"/"+id]) > 0, nil
}

func (h *Handover) refresh(ctx context.Context) error {
	all, err := h.letters.All(ctx)
	if err != nil {
		return err
	}
	h.left = make(map[string][]view.Letter)
	for _, l := range all {
		if !l.HandedOver.IsZero() {
			h.left[letterField(l)] = append(h.left[letterField(l)], l)
		}
	}
	h.read = time.Now()
	return nil
}

// Taken notes that the item is on the queue of a run again.
func (h *Handover) Taken(ctx context.Context, queue, id string) error {
	h.mu.Lock()
	letters := h.left[queue+"/"+id]
	delete(h.left, queue+"/"+id)
	h.mu.Unlock()
	for _, l := range letters {
		if err := h.letters.Forget(ctx, l.Run, l); err != nil {
			return err
		}
	}
	return nil
}
