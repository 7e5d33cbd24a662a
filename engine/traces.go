package main

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/trace"
)

// openTraces makes the tracer that is configured; nil for none.
func openTraces(ctx context.Context, s *settings.Settings, process string, log *slog.Logger) (*trace.Tracer, error) {
	if s.Traces.Endpoint == "" {
		return nil, nil
	}
	return trace.New(ctx, trace.Config{
		Endpoint: s.Traces.Endpoint, Version: thisBuild().Version, Process: process, Mask: logging.Mask, Logger: log,
	})
}

// traced carries the trace into the calls of plugins, as gRPC metadata.
func traced(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if parent := trace.Parent(ctx); parent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, trace.Header, parent)
	}
	return call(ctx, method, request, reply, conn, options...)
}
