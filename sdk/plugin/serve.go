package plugin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

const (
	drainOnSignal  = 10 * time.Second // for calls in flight after SIGTERM
	drainOnOrphan  = time.Second      // and after the engine is gone
	lastResort     = 2 * time.Second  // beyond those, the process ends as it is
	parentInterval = time.Second
)

// Serve is all that a plugin's main does. Started by the engine it serves until
// the engine stops it, or is gone; started by hand it explains the plugin. It
// ends the process itself where the exit code is not 0.
func Serve[C any](d Definition[C]) {
	b, err := compile(d)
	if err != nil {
		fmt.Fprintf(os.Stderr, "plugin %s: %v\n", d.Name, err)
		os.Exit(2)
	}
	if os.Getenv(MagicCookieKey) != MagicCookieValue {
		if code := b.command(os.Args[1:], os.Stdout, os.Stderr); code != 0 {
			os.Exit(code)
		}
		return
	}
	b.serve()
}

// serve is main's work in a process that the engine started; so it makes the
// root context, takes the signals and sets the default logger.
func (b *binary) serve() {
	life, end := context.WithCancel(context.Background())
	defer end()
	terminated, stopSignals := signal.NotifyContext(life, syscall.SIGTERM)
	defer stopSignals()

	// The library puts a pipe in place of os.Stderr; what the logger writes has
	// to stay on the real one, line by line.
	log := newLogger(os.Stderr, os.Getenv(LogLevelKey))
	slog.SetDefault(log)
	s := &server{binary: b, gate: newGate(), life: life, log: log}

	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: ProtocolVersion, MagicCookieKey: MagicCookieKey, MagicCookieValue: MagicCookieValue,
		},
		VersionedPlugins: map[int]goplugin.PluginSet{ProtocolVersion: {"plugin": &registration{server: s}}},
		Logger:           hclog.NewNullLogger(),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			g := grpc.NewServer(append(options,
				grpc.MaxRecvMsgSize(MaxMessageSize), grpc.MaxSendMsgSize(MaxMessageSize),
				grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream))...)
			go s.watch(terminated, func() { stopSoon(g) })
			return g
		},
	})
	// The engine asked for the end; calls in flight have been cut by now unless
	// it drained first.
	ctx, cancel := context.WithTimeout(life, drainOnOrphan)
	defer cancel()
	if err := s.drain(ctx); err != nil {
		log.Warn("closing", "error", err)
	}
}

// watch stops the server when the process is told to end, or has lost the
// engine.
func (s *server) watch(terminated context.Context, stop func()) {
	grace := drainOnSignal
	select {
	case <-terminated.Done():
	case <-orphaned(s.life):
		grace = drainOnOrphan
	}
	if s.life.Err() != nil {
		return // served, and over
	}
	// A call that heeds no context must not keep the process alive.
	time.AfterFunc(grace+lastResort, func() { os.Exit(1) })
	ctx, cancel := context.WithTimeout(s.life, grace)
	defer cancel()
	if err := s.drain(ctx); err != nil {
		s.log.Warn("stopping", "error", err)
	}
	stop()
}

// lastAnswers is how long the answers of finished calls may take to be sent.
const lastAnswers = 200 * time.Millisecond

// stopSoon stops the server once the answers of finished calls are sent. The
// library's own streams never end, so it does not wait for those.
func stopSoon(g *grpc.Server) {
	timer := time.AfterFunc(lastAnswers, g.Stop)
	defer timer.Stop()
	g.GracefulStop()
}

// orphaned closes its channel when the engine is gone: it holds the other end
// of stdin, and is the parent.
func orphaned(ctx context.Context) <-chan struct{} {
	gone := make(chan struct{}, 2)
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // ends with the pipe, or with the process
			gone <- struct{}{}
		}()
	}
	parent := os.Getppid()
	go func() {
		ticker := time.NewTicker(parentInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					gone <- struct{}{}
					return
				}
			}
		}
	}()
	return gone
}

// newLogger writes JSON lines as the engine reads them.
func newLogger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l}))
}

// registration puts our services on the library's server.
type registration struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server
}

// GRPCServer implements [goplugin.GRPCPlugin].
func (r *registration) GRPCServer(_ *goplugin.GRPCBroker, g *grpc.Server) error {
	register(g, r.server)
	return nil
}

// GRPCClient implements [goplugin.GRPCPlugin]; this end never is the client.
func (r *registration) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("this is the plugin's end")
}

func register(g grpc.ServiceRegistrar, s *server) {
	pb.RegisterPluginServer(g, s)
	if s.binary.description.Plays(SourceKind) {
		pb.RegisterSourceServer(g, sourceServer{server: s})
	}
	if s.binary.description.Plays(HarmonizerKind) {
		turn := make(chan struct{}, 1)
		turn <- struct{}{}
		pb.RegisterHarmonizerServer(g, harmonizerServer{server: s, turn: turn})
	}
}
