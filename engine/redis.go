package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// openRedis makes a client for an address of the configuration; key names the
// setting. It does not connect yet.
func openRedis(key string, address settings.URL) (redis.UniversalClient, error) {
	client, err := redisaccess.Open(address.Reveal())
	if err != nil {
		return nil, wrongUsage(&settings.Problem{Key: key, Message: err.Error()})
	}
	return client, nil
}

// checkServer refuses a Redis that the engine cannot work with, or that might
// lose what it is given; key names the setting. What is doubtful is logged.
func checkServer(ctx context.Context, key string, client redis.UniversalClient, log *slog.Logger) error {
	if err := redisaccess.Check(ctx, client); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	warnings, err := queue.CheckServer(ctx, client)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	for _, warning := range warnings {
		log.Warn("redis: "+warning, "setting", key)
	}
	return nil
}
