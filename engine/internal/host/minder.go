package host

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// minderKey is the variable that makes a copy of this program the minder.
const minderKey = "DATADIS_ENGINE_MINDER"

// A killed engine cannot end what its plugins have started, and the kernel ends
// only the plugins themselves. So a second process of this program, which does
// nothing else, holds the other end of a pipe and knows the process groups. It
// is entered here and not in main, so that every program that imports this
// package can be its own minder.
func init() { //nolint:gochecknoinits // before main, in whatever program this is
	if os.Getenv(minderKey) == "" {
		return
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	runtime.GOMAXPROCS(1)
	mind(os.Stdin)
	os.Exit(0)
}

// mind reads numbers of process groups, +N to watch and -N to forget, and ends
// those that are left when the engine is gone.
func mind(orders io.Reader) {
	groups := make(map[int]bool)
	for scanner := bufio.NewScanner(orders); scanner.Scan(); {
		n, err := strconv.Atoi(scanner.Text()) // reads +N too
		switch {
		case err != nil:
		case n > 1:
			groups[n] = true
		default:
			delete(groups, -n)
		}
	}
	for group := range groups {
		signalGroup(group, syscall.SIGKILL)
	}
}

// minder is the engine's end of it. There is one in a process, started with the
// first plugin.
type minder struct {
	mu     sync.Mutex
	orders io.WriteCloser // nil before the first plugin, and where it cannot be started
	groups map[int]bool
}

var theMinder = &minder{groups: make(map[int]bool)}

// watch has the group ended should the engine be killed.
func (m *minder) watch(group int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[group] = true
	if m.orders != nil && m.order(group) == nil {
		return nil
	}
	if err := m.start(); err != nil { // the first time, or because it is gone
		return err
	}
	for known := range m.groups {
		if err := m.order(known); err != nil {
			return err
		}
	}
	return nil
}

// forget is told once everything of the group has ended.
func (m *minder) forget(group int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.groups, group)
	if m.orders != nil {
		_ = m.order(-group) // if it is gone, the next watch finds out
	}
}

func (m *minder) order(n int) error {
	_, err := fmt.Fprintf(m.orders, "%+d\n", n)
	return err
}

func (m *minder) start() error {
	if m.orders != nil {
		_ = m.orders.Close()
		m.orders = nil
	}
	self, err := ownBinary()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"datadis-engine-minder"}
	cmd.Env = []string{minderKey + "=1", "GOGC=off"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what ends the engine's group leaves it
	cmd.Dir = "/"
	orders, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the process that minds the plugins: %w", err)
	}
	go func() { _ = cmd.Wait() }() // ends with the pipe, that is with the engine
	m.orders = orders
	return nil
}

// ownBinary is this program, even where its file was replaced meanwhile.
func ownBinary() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}
