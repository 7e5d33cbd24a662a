package plugin

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// connect serves a definition in this process, with the limits and interceptors
// of the real one, and returns the engine's end.
func connect[C any](t *testing.T, d Definition[C]) *Client {
	t.Helper()
	b, err := compile(d)
	if err != nil {
		t.Fatal(err)
	}
	life, end := context.WithCancel(context.Background())
	s := &server{binary: b, gate: newGate(), life: life, log: slog.New(slog.DiscardHandler)}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(MaxMessageSize), grpc.MaxSendMsgSize(MaxMessageSize),
		grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream))
	register(g, s)
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	options := append(DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	conn, err := grpc.NewClient("passthrough:///plugin", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end()
		_ = conn.Close()
		g.Stop()
		<-served
	})
	return NewClient(conn)
}
