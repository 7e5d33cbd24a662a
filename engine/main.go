// Command engine gathers everything that Datadis knows about the supplies of
// many account holders, and hands it to the projects that they belong to.
//
// Each command stands in a file of its own. This package only wires: it reads
// the settings, builds the parts in the order of the flow and runs them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

func main() {
	keepPrivate()
	redis.SetLogger(&logging.VoidLogger{}) // what it would print, it also returns
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for leaving the process: it runs the command
// that args name and returns the exit code. The first SIGINT or SIGTERM cancels
// the command's context, the second leaves at once.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(ctx)
	defer stop()
	return newApp(stdout, stderr, os.Environ()).execute(ctx, args)
}

// untilSignal cancels the context at the first signal and exits at the second.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-signals:
			cancel(&interruption{signal: s})
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(codeInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		<-ended
		cancel(nil)
	}
}

// interruption is the cause of a context that a signal ended.
type interruption struct{ signal os.Signal }

func (i *interruption) Error() string { return "interrupted by the signal " + i.signal.String() }
