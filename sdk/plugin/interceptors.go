package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/datadis-engine/datadis/sdk"
)

// gate counts the calls in flight, and lets no more in once it is shut.
type gate struct {
	mu     sync.Mutex
	shutAt bool
	inside int
	empty  chan struct{} // closed when shut and nobody is inside
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shutAt {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.shutAt && g.inside == 0 {
		close(g.empty)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shutAt {
		g.shutAt = true
		if g.inside == 0 {
			close(g.empty)
		}
	}
}

func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// work tells whether a method is one that a drain waits for.
func work(method string) bool {
	return strings.HasPrefix(method, "/datadis.plugin.v1.Source/") ||
		strings.HasPrefix(method, "/datadis.plugin.v1.Harmonizer/")
}

func ours(method string) bool { return strings.HasPrefix(method, "/datadis.plugin.v1.") }

var errDraining = newStatus(codes.Unavailable, "the plugin is stopping", "draining", sdk.FromPlugin, 0)

// unary lets a call in, gives it a logger, and turns a panic into an error.
func (s *server) unary(ctx context.Context, r any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (m any, err error) {
	if work(info.FullMethod) {
		if !s.gate.enter() {
			return nil, errDraining
		}
		defer s.gate.leave()
	}
	defer s.recover(info.FullMethod, &err)
	return handle(withLogger(ctx, s.log), r)
}

// stream does so for a stream.
func (s *server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	if !ours(info.FullMethod) {
		return handle(srv, stream)
	}
	if !s.gate.enter() {
		return errDraining
	}
	defer s.gate.leave()
	defer s.recover(info.FullMethod, &err)
	return handle(srv, &loggedStream{stream, withLogger(stream.Context(), s.log)})
}

// recover keeps a panic from ending the process, and the other calls with it.
func (s *server) recover(method string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	s.log.Error("panic", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	*err = newStatus(codes.Internal, fmt.Sprintf("panic: %v", p), ReasonPanic, sdk.FromPlugin, 0)
}

// loggedStream is a stream whose context holds the logger.
type loggedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements [grpc.ServerStream].
func (s *loggedStream) Context() context.Context { return s.ctx }

type loggerKey struct{}

func withLogger(ctx context.Context, log *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, log)
}

// Logger is the logger for a call: what it writes arrives in the engine's log
// with the instance, the run and the batch. Outside a call it is the default
// logger, which arrives there too.
func Logger(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.Default()
}
