package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
)

// user is the only one that the broker knows.
const user = "engine"

// ErrInUse says that another process keeps its broker in the same folder.
var ErrInUse = errors.New("in use by another process")

// Kafka is a Kafka protocol broker that keeps its data in a folder.
type Kafka struct {
	cluster  *kfake.Cluster
	lock     *os.File
	address  string
	password string
}

// StartKafka starts a broker on a free port of 127.0.0.1. Its topics, data and
// group offsets lie under dir; a second broker on the same folder is refused
// with [ErrInUse]. It creates no topic unasked. It runs until it is closed; ctx
// only goes with its log lines.
func StartKafka(ctx context.Context, dir string, log *slog.Logger) (*Kafka, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the embedded broker's folder: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("the embedded broker's folder %s: %w", dir, err)
	}
	broker := filepath.Join(dir, "broker")
	// The broker would go on with the password of the process before.
	if err := os.Remove(filepath.Join(broker, "sasl.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("make the embedded broker's folder: %w", err), lock.Close())
	}
	k := &Kafka{lock: lock, password: rand.Text()}
	k.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.DataDir(broker),
		kfake.SyncWrites(),
		kfake.EnableSASL(),
		kfake.Superuser("PLAIN", user, k.password),
		kfake.WithLogger(logger{context.WithoutCancel(ctx), log}),
		kfake.BrokerConfigs(map[string]string{
			// How often old data is dropped and topics are compacted; an hour
			// by default, which many runs do not last.
			"log.cleaner.backoff.ms": "60000",
		}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded broker in %s: %w", dir, err), lock.Close())
	}
	k.address = k.cluster.ListenAddrs()[0]
	return k, nil
}

// Bootstrap is the broker's address.
func (k *Kafka) Bootstrap() string { return k.address }

// Connection is the settings to reach the broker with, as librdkafka names
// them. They hold the password: do not log them.
func (k *Kafka) Connection() map[string]any {
	return map[string]any{
		"bootstrap.servers": k.address,
		"security.protocol": "SASL_PLAINTEXT", // loopback; the password keeps other users out
		"sasl.mechanism":    "PLAIN",
		"sasl.username":     user,
		"sasl.password":     k.password,
	}
}

// Close stops the broker; its data stays.
func (k *Kafka) Close() error {
	k.cluster.Close()
	if err := k.lock.Close(); err != nil { // which unlocks it
		return fmt.Errorf("unlock the embedded broker's folder: %w", err)
	}
	return nil
}

// logger hands the broker's log to slog. What it calls information is a line
// per request.
type logger struct {
	ctx context.Context //nolint:containedctx // the interface that is implemented passes none
	log *slog.Logger
}

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelNone:
		return
	}
	if l.log.Enabled(l.ctx, to) {
		l.log.Log(l.ctx, to, "embedded broker: "+fmt.Sprintf(format, args...))
	}
}
