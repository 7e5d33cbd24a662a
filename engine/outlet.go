package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/downloader"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/trace"
	"github.com/datadis-engine/datadis/sdk"
)

// outlet is the downloader's way to Kafka.
type outlet struct {
	publisher *kafka.Publisher
	archive   *envelope.Archive
	registry  *runs.Registry
	static    string // topic
	raw       string // topic, "" if raw copies are not kept
	run       string

	mu     sync.Mutex
	routes map[string]sdk.Route // by source
}

// route is where a source's time series go. A producer that joined the run
// later may have brought the source.
func (o *outlet) route(ctx context.Context, source string) (sdk.Route, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if route, ok := o.routes[source]; ok {
		return route, nil
	}
	run, err := o.registry.Get(ctx, o.run)
	if err != nil {
		return sdk.Route{}, err
	}
	o.routes = run.Routes
	route, ok := o.routes[source]
	if !ok {
		return sdk.Route{}, fmt.Errorf("run %s knows no route for source %s", o.run, source)
	}
	return route, nil
}

// Raw implements downloader.Outlet.
func (o *outlet) Raw(ctx context.Context, c downloader.Copy) (*ledger.Location, error) {
	if o.raw == "" {
		return nil, nil
	}
	q := c.Query
	facts := envelope.Facts{
		Run:      o.run,
		Chunk:    sdk.ChunkID(q.CUPS, q.Series, q.From),
		Endpoint: q.Series.String(), API: c.Answer.API, CUPS: q.CUPS, Distributor: q.Distributor, Account: c.Account,
		From: q.From.String(), To: q.To.String(), Measurement: string(q.Series.Resolution), PointType: q.PointType,
		ReceivedAt: c.Answer.ReceivedAt, Status: c.Answer.Status,
	}
	if q.From != q.To { // an answer of several months is no version of the first one's
		facts.Chunk += "-" + q.To.String()
	}
	message, err := o.archive.Raw(facts, c.Answer.Body, o.raw)
	if err != nil {
		return nil, err
	}
	at, err := o.publisher.Publish(ctx, []envelope.Message{message})
	if err != nil {
		return nil, err
	}
	return &ledger.Location{Partition: at[0].Partition, Offset: at[0].Offset}, nil
}

// Chunks implements downloader.Outlet.
func (o *outlet) Chunks(ctx context.Context, chunks []*sdk.Chunk) (err error) {
	ctx, span := trace.Begin(ctx, "publish", "chunks", strconv.Itoa(len(chunks)))
	defer func() { span.End(err) }()
	headers := traceHeaders(ctx)
	var messages []envelope.Message
	for _, c := range chunks {
		route, err := o.route(ctx, c.Source)
		if err != nil {
			return err
		}
		parts, err := envelope.Chunk(c, route, headers...)
		if err != nil {
			return err
		}
		messages = append(messages, parts...)
	}
	_, err = o.publisher.Publish(ctx, messages)
	return err
}

// traceHeaders carry the trace into messages.
func traceHeaders(ctx context.Context) []envelope.Header {
	parent := trace.Parent(ctx)
	if parent == "" {
		return nil
	}
	return []envelope.Header{{Name: envelope.HeaderTrace, Value: parent}}
}

// Supply implements downloader.Outlet.
func (o *outlet) Supply(ctx context.Context, supply *sdk.Supply) (err error) {
	ctx, span := trace.Begin(ctx, "supply", "run", supply.Run, "cups", string(supply.CUPS))
	defer func() { span.End(err) }()
	message, err := envelope.Supply(supply, o.static)
	if err != nil {
		return err
	}
	message.Headers = append(message.Headers, traceHeaders(ctx)...)
	_, err = o.publisher.Publish(ctx, []envelope.Message{message})
	return err
}

// copies is the downloader's way back to the raw copies.
type copies struct {
	reader  *kafka.Reader
	archive *envelope.Archive
	topic   string
}

// Open implements downloader.Copies.
func (c *copies) Open(ctx context.Context, at ledger.Location) (downloader.Copy, error) {
	record, err := c.reader.ReadAt(ctx, c.topic, at.Partition, at.Offset)
	if errors.Is(err, kafka.ErrGone) {
		return downloader.Copy{}, downloader.ErrGone
	}
	if err != nil {
		return downloader.Copy{}, err
	}
	facts, body, err := c.archive.OpenRaw(&record)
	if errors.Is(err, envelope.ErrMalformed) { // no later attempt reads more out of it
		return downloader.Copy{}, fmt.Errorf("%w: partition %d, offset %d: %w", downloader.ErrGone, at.Partition, at.Offset, err)
	}
	if err != nil {
		return downloader.Copy{}, fmt.Errorf("raw copy at partition %d, offset %d: %w", at.Partition, at.Offset, err)
	}
	return copyOf(facts, body)
}

// copyOf is what the facts of a raw copy say was asked.
func copyOf(f envelope.Facts, body []byte) (downloader.Copy, error) {
	series, err := ledger.ParseSeries(f.Endpoint)
	if err != nil {
		return downloader.Copy{}, err
	}
	from, errFrom := sdk.ParseMonth(f.From)
	to, errTo := sdk.ParseMonth(f.To)
	if err := errors.Join(errFrom, errTo); err != nil {
		return downloader.Copy{}, fmt.Errorf("raw copy of chunk %s: %w", f.Chunk, err)
	}
	return downloader.Copy{
		Query: datadis.Query{
			CUPS: f.CUPS, Distributor: f.Distributor, Series: series, From: from, To: to, PointType: f.PointType,
		},
		Account: f.Account,
		Answer:  datadis.Answer{Body: body, API: f.API, Status: f.Status, ReceivedAt: f.ReceivedAt},
	}, nil
}
