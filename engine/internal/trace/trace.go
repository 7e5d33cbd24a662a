// Package trace records what the engine does as OpenTelemetry spans, and is the
// only one that knows OpenTelemetry. The tracer travels in the context: without
// one there, nothing is recorded, at next to no cost.
//
// A trace begins with a chunk. Its context goes on as the header traceparent of
// W3C, in Kafka messages and in the calls of plugins.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Header is the name under which a trace goes on elsewhere.
const Header = "traceparent"

// Config of a Tracer.
type Config struct {
	// Endpoint is the whole address of a collector that takes OTLP over HTTP,
	// such as http://localhost:4318/v1/traces. Headers, certificates and the
	// share of traces that is kept are set by the standard OTEL_… variables.
	Endpoint string
	Version  string              // of the engine
	Process  string              // tells processes apart
	Mask     func(string) string // hides personal data in attributes and errors
	Logger   *slog.Logger        // of what cannot be sent; it does no other harm
}

// Tracer makes spans and sends them. The nil Tracer makes none.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   oteltrace.Tracer
	mask     func(string) string
}

// New makes a Tracer. It does not connect yet.
func New(ctx context.Context, c Config) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint))
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", c.Endpoint, err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "datadis-engine"),
			attribute.String("service.version", c.Version), attribute.String("service.instance.id", c.Process)),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last one wins
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("trace to %s: %w", c.Endpoint, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		c.Logger.Warn("traces cannot be sent; the work goes on", "error", err)
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Tracer{provider, provider.Tracer("github.com/datadis-engine/datadis"), c.Mask}, nil
}

// lastSend is how long sending what is left may take.
const lastSend = 5 * time.Second

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSend)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err) // a collector that is away is no failure of the engine
	}
	return nil
}

type tracerKey struct{}

// Into is the context in which the Tracer records.
func (t *Tracer) Into(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

// Span is something that takes time. The nil Span records nothing.
type Span struct {
	span oteltrace.Span
	mask func(string) string
}

// Begin begins a span, below the one of the context. The attributes are names
// and values by turns; identifiers in them are masked.
func Begin(ctx context.Context, name string, attributes ...string) (context.Context, *Span) {
	t, ok := ctx.Value(tracerKey{}).(*Tracer)
	if !ok {
		return ctx, nil
	}
	ctx, span := t.tracer.Start(ctx, name)
	s := &Span{span, t.mask}
	s.Set(attributes...)
	return ctx, s
}

// Set adds attributes.
func (s *Span) Set(attributes ...string) {
	if s == nil {
		return
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		s.span.SetAttributes(attribute.String(attributes[i], s.mask(attributes[i+1])))
	}
}

// End ends the span; an error marks it as failed.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, s.mask(err.Error()))
	}
	s.span.End()
}

// Parent is the header of the context's span; "" without one.
func Parent(ctx context.Context) string {
	if !oteltrace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get(Header)
}

// Under is the context of a span of another process, as its header names it.
// One that cannot be read is as none.
func Under(ctx context.Context, header string) context.Context {
	if header == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{Header: header})
}
