package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// How long a client may take. The longest answer is a coverage of many
// supplies.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 2 * time.Minute
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	closeTimeout  = 3 * time.Second
)

// Server serves on one listener until it is closed.
type Server struct {
	http    *http.Server
	where   string
	serving sync.WaitGroup
	after   func() error // once nothing is served any more; may be nil
}

// Serve serves on the listener. The context is for values only: a Server
// outlives the work, so that probes see it drain.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) *Server {
	base := context.WithoutCancel(ctx)
	s := &Server{where: l.Addr().String(), http: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}}
	s.serving.Go(func() {
		if err := s.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("HTTP is not served any more", "address", s.where, "error", err)
		}
	})
	return s
}

// Address is where the server listens.
func (s *Server) Address() string { return s.where }

// Close stops listening, gives answers under way a moment, and returns when
// nothing is served any more.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close() // whoever still reads has had the time
	}
	s.serving.Wait()
	if s.after != nil {
		err = errors.Join(err, s.after())
	}
	return err
}

// ErrBusy says that another process listens on the address.
var ErrBusy = errors.New("another process listens there")

// Listen listens on a TCP address. It fails with ErrBusy.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w", address, ErrBusy)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}
