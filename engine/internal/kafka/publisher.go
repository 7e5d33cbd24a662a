package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
)

// Errors that a caller decides on.
var (
	// ErrFatal: the producer cannot go on. Only a new one, that is a new
	// process, can; what was not confirmed is published again by it.
	ErrFatal = errors.New("kafka: the producer failed for good")
	// ErrClosed: the publisher, reader or subscriber was closed.
	ErrClosed = errors.New("kafka: closed")
	// ErrTooLarge: the broker takes no message of this size, today or later.
	ErrTooLarge = errors.New("kafka: message too large")
)

// queueRetry is how long a full queue is waited for without news of it.
// Deliveries wake the waiting; this is for the report that comes just before
// librdkafka gives its room free.
const queueRetry = 20 * time.Millisecond

// Publisher sends messages through one idempotent producer. It is for
// concurrent use; make one per process.
type Publisher struct {
	producer *kafka.Producer
	log      *slog.Logger
	logs     *logs
	drained  chan struct{} // closed when there will be no more reports
	closed   chan struct{}
	sending  sync.RWMutex // held to close; read-held to use the producer

	watch Watch

	mu    sync.Mutex    // guards the rest
	room  chan struct{} // closed, and renewed, at each delivery report
	fatal error
}

// Location is where a message lies.
type Location struct {
	Topic     string
	Partition int32
	Offset    int64
}

// publishing are the producer's defaults, which a connection may change.
func publishing() kafka.ConfigMap {
	return kafka.ConfigMap{
		"linger.ms":                    "5", // each caller waits for its own messages, and many callers make a batch
		"batch.size":                   "1000000",
		"batch.num.messages":           "10000",
		"compression.type":             "zstd",
		"delivery.timeout.ms":          "300000",
		"queue.buffering.max.kbytes":   "65536", // the default, 1 GiB, exceeds a pod
		"queue.buffering.max.messages": "10000",
		// CRC32 of the key: where the older pipeline put each CUPS.
		"partitioner": "consistent_random",
	}
}

// Watch is told of what a Publisher does; what is nil is not told. Its functions
// are called by many goroutines at once, and must be quick.
type Watch struct {
	// Delivered tells how many messages were published together, how long the
	// broker took to confirm them, and what went wrong.
	Delivered func(messages int, took time.Duration, err error)
	// Queued tells how many bytes of keys and values came to wait for the
	// broker, or, negative, wait no more.
	Queued func(bytes int)
}

// Watch sets who is told. Call it before anything is published.
func (p *Publisher) Watch(w Watch) { p.watch = w }

// NewPublisher connects in the background: an unreachable broker shows in the
// log, and in Publish when its time is up. Close it.
func NewPublisher(ctx context.Context, c Config, log *slog.Logger) (*Publisher, error) {
	settings, err := c.settings(publishing())
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	settings["enable.idempotence"] = "true"
	settings["acks"] = "all"
	settings["go.delivery.report.fields"] = "none" // where it lies suffices
	settings["go.events.channel.size"] = 1000
	settings["go.produce.channel.size"] = 0
	ctx = context.WithoutCancel(ctx)
	l := startLogs(ctx, log)
	l.attach(settings)
	producer, err := kafka.NewProducer(&settings)
	if err != nil {
		l.stop()
		return nil, fmt.Errorf("kafka: set up the producer: %w", err)
	}
	p := &Publisher{
		producer: producer, log: log, logs: l,
		drained: make(chan struct{}), closed: make(chan struct{}), room: make(chan struct{}),
	}
	go p.drain(ctx)
	return p, nil
}

// batch is the messages of one call to Publish.
type batch struct {
	locations []Location
	left      int           // without report; only the drainer touches it
	err       error         // the first failure
	done      chan struct{} // closed when none is left
}

// receipt stands for one message of a batch until its report comes.
type receipt struct {
	batch *batch
	index int
}

// Publish sends the messages and waits until the broker has confirmed all of
// them, replicas included. It returns where each of them lies, in order.
//
// After an error some of the messages may have been, or may yet be, delivered:
// publish all of them again. Errors that say more are [ErrFatal], [ErrTooLarge]
// and [ErrClosed].
func (p *Publisher) Publish(ctx context.Context, messages []envelope.Message) (_ []Location, err error) {
	if len(messages) == 0 {
		return nil, nil
	}
	if p.watch.Queued != nil {
		size := sizeOf(messages)
		p.watch.Queued(size)
		defer p.watch.Queued(-size)
	}
	if p.watch.Delivered != nil {
		began := time.Now()
		defer func() { p.watch.Delivered(len(messages), time.Since(began), err) }()
	}
	return p.publish(ctx, messages)
}

// sizeOf is how many bytes the keys and values of messages have.
func sizeOf(messages []envelope.Message) int {
	size := 0
	for i := range messages {
		size += len(messages[i].Key) + len(messages[i].Value)
	}
	return size
}

func (p *Publisher) publish(ctx context.Context, messages []envelope.Message) ([]Location, error) {
	b := &batch{
		locations: make([]Location, len(messages)), left: len(messages), done: make(chan struct{}),
	}
	receipts := make([]receipt, len(messages))
	for i := range messages {
		receipts[i] = receipt{b, i}
		if err := p.produce(ctx, &messages[i], &receipts[i]); err != nil {
			return nil, fmt.Errorf("publish to %s: %w", messages[i].Topic, p.explain(err))
		}
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("publish to %s: waiting for the broker: %w", messages[0].Topic, context.Cause(ctx))
	case <-p.closed:
		select {
		case <-b.done: // closing waited for it
		default:
			return nil, fmt.Errorf("publish to %s: %w", messages[0].Topic, ErrClosed)
		}
	}
	if b.err != nil {
		return nil, fmt.Errorf("publish to %s: %w", messages[0].Topic, p.explain(b.err))
	}
	return b.locations, nil
}

// produce puts a message into librdkafka's queue, and waits while that is full.
func (p *Publisher) produce(ctx context.Context, m *envelope.Message, r *receipt) error {
	out := message(m)
	out.Opaque = r
	var timer *time.Timer
	for {
		room, err := p.state() // before the try: a report in between must wake us
		if err != nil {
			return err
		}
		if err = p.send(out); !isCode(err, kafka.ErrQueueFull) {
			return err
		}
		if timer == nil {
			timer = time.NewTimer(queueRetry)
			defer timer.Stop()
		} else {
			timer.Reset(queueRetry)
		}
		select {
		case <-room:
		case <-timer.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for room in the queue: %w", context.Cause(ctx))
		}
	}
}

// send tries to put a message into the queue, unless the publisher is closed.
func (p *Publisher) send(m *kafka.Message) error {
	p.sending.RLock()
	defer p.sending.RUnlock()
	select {
	case <-p.closed:
		return ErrClosed
	default:
		return p.producer.Produce(m, nil) //nolint:wrapcheck // explained by Publish
	}
}

// state is what to wait on for room in the queue, and the failure that makes
// waiting pointless.
func (p *Publisher) state() (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room, p.fatal
}

// drain takes the reports until the producer is closed.
func (p *Publisher) drain(ctx context.Context) {
	defer close(p.drained)
	for event := range p.producer.Events() {
		switch e := event.(type) {
		case *kafka.Message:
			p.report(e)
		case kafka.Error:
			p.problem(ctx, e)
		}
	}
}

// report notes what became of one message, and wakes whoever waits for it or
// for its room.
func (p *Publisher) report(m *kafka.Message) {
	if r, ok := m.Opaque.(*receipt); ok {
		b, at := r.batch, m.TopicPartition
		b.locations[r.index] = Location{*at.Topic, at.Partition, int64(at.Offset)}
		if b.err == nil {
			b.err = at.Error
		}
		if b.left--; b.left == 0 {
			close(b.done)
		}
	}
	p.mu.Lock()
	close(p.room)
	p.room = make(chan struct{})
	p.mu.Unlock()
}

// problem logs what concerns no single message. librdkafka goes on trying,
// unless the error is fatal.
func (p *Publisher) problem(ctx context.Context, e kafka.Error) {
	if !e.IsFatal() {
		p.log.LogAttrs(ctx, slog.LevelWarn, "kafka: "+news(e), slog.String("code", e.Code().String()))
		return
	}
	p.mu.Lock()
	first := p.fatal == nil
	if first {
		p.fatal = fmt.Errorf("%w: %w", ErrFatal, e)
	}
	p.mu.Unlock()
	if first {
		p.log.LogAttrs(ctx, slog.LevelError, "kafka: the producer failed for good: "+e.Error())
	}
}

// Fatal is the error that keeps the publisher from going on, nil if there is
// none.
func (p *Publisher) Fatal() error {
	_, err := p.state()
	return err
}

// explain marks the errors that a caller decides on.
func (p *Publisher) explain(err error) error {
	var e kafka.Error
	if !errors.As(err, &e) || errors.Is(err, ErrFatal) {
		return err
	}
	switch {
	case e.IsFatal() || e.Code() == kafka.ErrFatal:
		return fmt.Errorf("%w: %w", ErrFatal, e)
	case e.Code() == kafka.ErrMsgSizeTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, e)
	default:
		return explain(err)
	}
}

// Close waits until everything is delivered, or ctx is done, and then closes
// the producer. Calls to Publish that still wait by then fail.
func (p *Publisher) Close(ctx context.Context) error {
	p.sending.Lock()
	select {
	case <-p.closed:
		p.sending.Unlock()
		return nil
	default:
	}
	var err error
	for left := p.producer.Flush(100); left > 0; left = p.producer.Flush(100) {
		if ctx.Err() != nil {
			err = fmt.Errorf("kafka: %d messages were not confirmed: %w", left, context.Cause(ctx))
			break
		}
	}
	close(p.closed)
	p.sending.Unlock()
	if err != nil {
		// Without this librdkafka would go on sending while it is torn down.
		err = errors.Join(err, p.producer.Purge(kafka.PurgeQueue|kafka.PurgeInFlight|kafka.PurgeNonBlocking))
	}
	p.producer.Close()
	<-p.drained
	p.logs.stop()
	return err
}

// isCode tells whether an error is librdkafka's of the given code.
func isCode(err error, code kafka.ErrorCode) bool {
	var e kafka.Error
	return errors.As(err, &e) && e.Code() == code
}
