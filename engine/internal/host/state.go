package host

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/pin"
)

// State is how a running instance is, for people.
type State struct {
	Instance string    `json:"instance"`
	Status   Status    `json:"status"` // ok, unhealthy, restarting, crash-loop, stopped
	Up       bool      `json:"up"`
	Reason   string    `json:"reason,omitempty"` // why it is not up, or not well
	Restarts int       `json:"restarts"`         // since it was started first
	Next     time.Time `json:"next,omitzero"`    // when it is started again
	PID      int       `json:"pid,omitempty"`    // the number of its process
	Engine   int       `json:"engine"`           // and of the engine's
}

// State is how the plugin is now.
func (r *Running) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{Instance: r.instance.Name, Status: OK, Up: r.process != nil, Reason: r.down, Restarts: r.restarts, Engine: os.Getpid()}
	if s.Up {
		s.PID = r.process.child.number()
	}
	switch {
	case s.Up && r.missing != "":
		s.Status, s.Reason = Unhealthy, r.missing
	case s.Up:
	case r.closed:
		s.Status = Stopped
	case r.next.IsZero():
		s.Status = CrashLoop
	default:
		s.Status, s.Next = Restarting, r.next
	}
	return s
}

// States are those of the instances of every engine that is running now and
// has the same StateDir.
func (h *Host) States() []State {
	if h.config.StateDir == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(h.config.StateDir, "states", "*.json"))
	if err != nil {
		return nil
	}
	var list []State
	for _, file := range files {
		if s, ok := readState(file); ok {
			list = append(list, s)
		}
	}
	return list
}

// readState reads what an engine wrote, if that is still alive.
func readState(path string) (State, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return State{}, false
	}
	var s State
	if json.Unmarshal(text, &s) != nil || !alive(path) {
		return State{}, false
	}
	return s, true
}

// alive tells whether the engine that wrote a state holds its lock; else the
// state is removed.
func alive(path string) bool {
	lock, err := os.Open(path + ".lock")
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return true
	}
	_, _ = os.Remove(path), os.Remove(path+".lock") // may be another user's
	return false
}

// board is where a Running shows its state to other processes.
type board struct {
	path string
	lock *os.File
	turn sync.Mutex // the newest state is written last
}

func (h *Host) openBoard(instance string) (*board, error) {
	dir := filepath.Join(h.config.StateDir, "states")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &board{path: filepath.Join(dir, fmt.Sprintf("%s.%d.json", instance, os.Getpid()))}
	var err error
	if b.lock, err = os.OpenFile(b.path+".lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(b.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = b.lock.Close() // the same instance twice in one process
		return nil, err
	}
	return b, nil
}

func (b *board) show(s State) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return pin.Replace(b.path, text, 0o600)
}

func (b *board) close() {
	_, _ = os.Remove(b.path), os.Remove(b.path+".lock")
	_ = b.lock.Close()
}

// keep opens what of the instance outlives it. A read-only disk is no reason
// not to run: everything is in the engine's own log too.
func (r *Running) keep() {
	h := r.host
	if h.config.StateDir == "" || h.config.NewLogger == nil {
		return
	}
	journal, err := openJournal(JournalPath(h.config.StateDir, r.instance.Name))
	if err == nil {
		r.journal = journal
		r.kept = h.config.NewLogger(journal).With("plugin", r.instance.Plugin, "instance", r.instance.Name)
		r.log = fanOut(r.log, r.kept)
		r.board, err = h.openBoard(r.instance.Name)
	}
	if err != nil {
		h.unkept.Do(func() {
			h.log.Info("what plugins log is not kept for `engine plugins logs`: it is in this log only", "error", err)
		})
	}
}

// told shows the state to other processes.
func (r *Running) told() {
	if r.board == nil {
		return
	}
	r.board.turn.Lock()
	defer r.board.turn.Unlock()
	if err := r.board.show(r.State()); err != nil {
		r.log.Debug("cannot show the state of a plugin", "error", err)
	}
}

// unkeep closes what keep opened, and lets go of the binary.
func (r *Running) unkeep() {
	r.private.release()
	if r.board != nil {
		r.board.close()
	}
	if r.journal != nil {
		_ = r.journal.Close() // what was written is written
	}
}
