package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/embedded"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
)

// servers is everything outside the process that a command works with. What
// the settings leave out is embedded.
type servers struct {
	users, devices redis.UniversalClient
	store          store.Store // beside the devices queue, or a file
	kafka          kafka.Config
	publisher      *kafka.Publisher
	admin          *kafka.Admin
	reader         *kafka.Reader
	archive        *envelope.Archive
	close          closers
}

// closers closes what was opened, the last first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

// run closes everything, and joins what went wrong.
func (c *closers) run() error {
	var problems []error
	for i := len(*c) - 1; i >= 0; i-- {
		problems = append(problems, (*c)[i]())
	}
	*c = nil
	return errors.Join(problems...)
}

// closeTimeout is how long Kafka may take to confirm what was sent last.
const closeTimeout = 30 * time.Second

// openServers connects to the servers that are configured, and starts the
// others in this process.
func openServers(ctx context.Context, s *settings.Settings, log *slog.Logger) (_ *servers, err error) {
	sv := &servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, sv.close.run())
		}
	}()
	if s.Local().Any() {
		if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of local mode: %w", err)
		}
		if err := safeFolder(s.DataDir); err != nil {
			return nil, err
		}
	}
	if err := sv.openRedis(ctx, s, log); err != nil {
		return nil, err
	}
	if err := sv.openStore(s); err != nil {
		return nil, err
	}
	if err := sv.openKafka(ctx, s, log); err != nil {
		return nil, err
	}
	return sv, nil
}

// openRedis connects to both Redis, which may be one.
func (sv *servers) openRedis(ctx context.Context, s *settings.Settings, log *slog.Logger) error {
	users, devices := s.Redis.Users.URL, s.Redis.Devices.URL
	if s.Local().Users || s.Local().Devices {
		local, err := embedded.StartRedis(ctx)
		if err != nil {
			return err
		}
		sv.close.add(func() error { local.Close(); return nil })
		if s.Local().Users {
			users = settings.NewURL(local.URL())
		}
		if s.Local().Devices {
			devices = settings.NewURL(local.URL())
		}
	}
	for _, one := range []struct {
		key    string
		url    settings.URL
		local  bool
		client *redis.UniversalClient
	}{
		{"redis.users.url", users, s.Local().Users, &sv.users},
		{"redis.devices.url", devices, s.Local().Devices, &sv.devices},
	} {
		client, err := openRedis(one.key, one.url)
		if err != nil {
			return err
		}
		sv.close.add(client.Close)
		if !one.local {
			if err := checkServer(ctx, one.key, client, log); err != nil {
				return err
			}
		}
		*one.client = client
	}
	return nil
}

// storeName is the file that keeps the ledger, dead letters and summaries of
// runs in local mode.
const storeName = "ledger.db"

// storePrefix starts the names of all that lies in the Redis of the devices
// queue for good.
const storePrefix = "dd:"

// openStore opens what outlives runs.
func (sv *servers) openStore(s *settings.Settings) error {
	if !s.Local().Devices {
		sv.store = store.NewRedis(sv.devices, storePrefix)
		return nil
	}
	file, err := store.OpenBolt(filepath.Join(s.DataDir, storeName))
	if err != nil {
		return err
	}
	sv.close.add(file.Close)
	sv.store = file
	return nil
}

// openKafka connects to the broker.
func (sv *servers) openKafka(ctx context.Context, s *settings.Settings, log *slog.Logger) error {
	sv.kafka = kafkaConfig(s)
	if s.Local().Kafka {
		broker, err := embedded.StartKafka(ctx, filepath.Join(s.DataDir, "kafka"), log)
		if err != nil {
			return err
		}
		sv.close.add(broker.Close)
		sv.kafka.Connection = broker.Connection()
	}
	err := kafka.Check(ctx, sv.kafka, log)
	if err != nil {
		return err
	}
	if sv.publisher, err = kafka.NewPublisher(ctx, sv.kafka, log); err != nil {
		return err
	}
	sv.close.add(func() error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return sv.publisher.Close(last)
	})
	if sv.admin, err = kafka.NewAdmin(ctx, sv.kafka, log); err != nil {
		return err
	}
	sv.close.add(func() error { sv.admin.Close(); return nil })
	if sv.reader, err = kafka.NewReader(ctx, sv.kafka, log); err != nil {
		return err
	}
	sv.close.add(sv.reader.Close)
	if sv.archive, err = envelope.NewArchive(); err != nil {
		return err
	}
	sv.close.add(sv.archive.Close)
	return sv.publisher.Fatal()
}

// kafkaConfig is what the kafka package is told of the settings.
func kafkaConfig(s *settings.Settings) kafka.Config {
	c := kafka.Default()
	c.Connection = make(map[string]any, len(s.Kafka.Connection))
	for name, value := range s.Kafka.Connection {
		c.Connection[name] = value
	}
	c.Partitions, c.Replication = s.Kafka.Partitions, s.Kafka.Replication
	return c
}

// ensureTopics creates the topics that do not exist yet.
func (sv *servers) ensureTopics(ctx context.Context, s *settings.Settings, data ...string) error {
	specs := []kafka.TopicSpec{
		sv.kafka.ControlTopic(s.Kafka.ControlTopic),
		sv.kafka.DataTopic(s.Kafka.StaticTopic),
		sv.kafka.DataTopic(s.Kafka.DeadTopic),
	}
	if s.Kafka.Raw.Enabled {
		specs = append(specs, sv.kafka.RawTopic(s.Kafka.Raw.Topic))
	}
	for _, name := range data {
		specs = append(specs, sv.kafka.DataTopic(name))
	}
	return sv.admin.EnsureTopics(ctx, specs)
}
