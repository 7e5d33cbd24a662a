package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// CheckServer tells whether a Redis server can be trusted with a queue: one that
// evicts keys when its memory is full would lose work without a word. What
// cannot be found out is a warning. It asks with INFO alone, as managed servers
// close CONFIG.
func CheckServer(ctx context.Context, client redis.UniversalClient) (warnings []string, err error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("redis does not answer: %w", err)
	}
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		warning, err := checkMemory(ctx, client)
		return compact(warning), err
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		warning, err := checkMemory(ctx, node)
		if warning != "" {
			warning = node.Options().Addr + ": " + warning
		}
		mu.Lock()
		defer mu.Unlock()
		warnings = append(warnings, compact(warning)...)
		return err
	})
	return warnings, err
}

func checkMemory(ctx context.Context, client redis.Cmdable) (warning string, err error) {
	reply, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Sprintf("the eviction policy is unknown, as INFO says: %v; make sure that it is noeviction", err), nil
	}
	info := parseInfo(reply)
	switch policy, limit := info["maxmemory_policy"], info["maxmemory"]; {
	case policy == "":
		return "the eviction policy is unknown, as INFO does not tell; make sure that it is noeviction", nil
	case policy == "noeviction":
		return "", nil
	case limit == "0", limit == "":
		return fmt.Sprintf("the eviction policy is %s, which matters as soon as maxmemory is set; set maxmemory-policy to noeviction", policy), nil
	default:
		return "", fmt.Errorf("redis has the eviction policy %s, and would drop work when its memory is full: set maxmemory-policy to noeviction", policy)
	}
}

// parseInfo reads the lines name:value of an answer to INFO.
func parseInfo(reply string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(reply) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func compact(warning string) []string {
	if warning == "" {
		return nil
	}
	return []string{warning}
}
