package main

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/trace"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// traceCollector takes spans by OTLP over HTTP.
type traceCollector struct {
	url string

	mu    sync.Mutex
	spans map[string]*otlp.Span // by id
	about string
}

func newTraceCollector(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{spans: make(map[string]*otlp.Span)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *traceCollector) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = zipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &sent); err != nil || r.URL.Path != "/v1/traces" {
		return fmt.Errorf("%s: %w", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		c.about = resource.Resource.String()
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans[hex.EncodeToString(span.SpanId)] = span
			}
		}
	}
	return nil
}

// parent is the span that another lies below; nil for none.
func (c *traceCollector) parent(s *otlp.Span) *otlp.Span {
	return c.spans[hex.EncodeToString(s.ParentSpanId)]
}

// A chunk is one trace from the question to the harmonizer, over Kafka; and no
// span names anybody.
func TestTraces(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 49, Accounts: 1, Supplies: 1})
	c := newTraceCollector(t)
	s.write("c.json", "{}")
	s.environ = append(s.environ, "CONF_FILE="+s.path("c.json"), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url)
	s.write("users.csv", s.users())
	result, _ := s.run("--users", s.path("users.csv"))

	count := make(map[string]int)
	children := make(map[string][]string) // of chunks
	for _, span := range c.spans {
		count[span.Name]++
		parent := c.parent(span)
		switch span.Name {
		case "chunk", "supply":
			if len(span.ParentSpanId) > 0 {
				t.Errorf("a %s lies below another span", span.Name)
			}
		case "harmonize":
			if parent == nil || parent.Name != "publish" && parent.Name != "supply" || !slices.Equal(parent.TraceId, span.TraceId) {
				t.Errorf("harmonize does not go on with what published it, but with %v", parent)
			}
		default:
			if parent == nil || parent.Name != "chunk" {
				t.Errorf("%s lies below %v", span.Name, parent)
				continue
			}
			id := hex.EncodeToString(parent.SpanId)
			children[id] = append(children[id], span.Name)
		}
		text := span.String() + c.about
		for _, e := range s.simulator.Entitlements() {
			if strings.Contains(text, e.CUPS) || strings.Contains(text, e.Username) {
				t.Errorf("a span names somebody: %s", text)
			}
		}
	}
	whole := 0
	for _, names := range children {
		slices.Sort(names)
		if slices.Equal(names, []string{"ask", "keep", "publish"}) {
			whole++
		}
	}
	if asked := int(result.Counts["asked"]); count["chunk"] != asked || count["ask"] != asked || whole == 0 || count["publish"] != whole {
		t.Errorf("%d queries, %d chunks of which %d were published, spans %v", asked, count["chunk"], whole, count)
	}
	if chunks := result.Sources[0].Chunks; int64(count["harmonize"]) < chunks {
		t.Errorf("%d chunks were harmonized in %d spans", chunks, count["harmonize"])
	}
	if !strings.Contains(c.about, "datadis-engine") {
		t.Errorf("the spans are of %s", c.about)
	}
}

// A collector that is away costs the run nothing.
func TestTracesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 50, Accounts: 1, Supplies: 1})
	s.write("c.json", `{"traces": {"endpoint": "http://127.0.0.1:1/v1/traces"}}`)
	s.environ = append(s.environ, "CONF_FILE="+s.path("c.json"))
	s.write("users.csv", s.users())
	s.run("--users", s.path("users.csv"))
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("%s", d)
	}
}

// Plugins are called in the trace of what they are given.
func TestTracesGoOnInPlugins(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for header, want := range map[string]string{parent: parent, "": "", "rubbish": ""} {
		got := "not called"
		invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			sent, _ := metadata.FromOutgoingContext(ctx)
			got = plugin.TraceParent(metadata.NewIncomingContext(ctx, sent))
			return nil
		}
		if err := traced(trace.Under(t.Context(), header), "m", nil, nil, nil, invoke); err != nil || got != want {
			t.Errorf("%q went on as %q, %v", header, got, err)
		}
	}
}
