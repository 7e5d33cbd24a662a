package main

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/health"
)

// How long a server may take to answer a probe, and how long what a probe
// writes lies there.
const (
	probePatience = 3 * time.Second
	probeLife     = time.Minute
)

// probe looks whether the servers of the process can be worked with, and tells
// the board. What it finds is a fixed sentence, since anybody may read it; the
// log has the error, once for each change.
func (p *pass) probe(board *health.Board) func(context.Context) {
	last := make(map[string]bool)
	tell := func(ctx context.Context, name, reason string, err error) {
		if err != nil && ctx.Err() != nil {
			return // the process ends
		}
		if known, seen := last[name]; err != nil && (known || !seen) {
			p.log.Error(reason, "check", name, "error", err)
		} else if err == nil && seen && !known {
			p.log.Info("well again", "check", name)
		}
		last[name] = err == nil
		board.Set(name, err == nil, reason)
	}
	return func(ctx context.Context) {
		for _, one := range []struct {
			name   string
			client redis.UniversalClient
		}{{"redis users", p.servers.users}, {"redis devices", p.servers.devices}} {
			reason, err := p.probeRedis(ctx, one.client)
			tell(ctx, one.name, reason, err)
		}
		err := p.servers.publisher.Fatal()
		if err != nil {
			tell(ctx, "kafka", "the Kafka producer failed for good; the process has to be started again", err)
			return
		}
		err = p.servers.admin.Ping(probePatience)
		tell(ctx, "kafka", "Kafka does not answer", err)
	}
}

// probeRedis writes a key: a server that is full, or a replica that was taken
// for its master, answers and is of no use.
func (p *pass) probeRedis(ctx context.Context, client redis.UniversalClient) (reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	err = client.Set(ctx, "dd:{probe}:"+p.process, "1", probeLife).Err()
	switch {
	case err == nil:
		return "", nil
	case strings.HasPrefix(err.Error(), "READONLY"):
		return "Redis is a replica, and takes no writes", err
	case strings.HasPrefix(err.Error(), "OOM"):
		return "Redis has no memory left, and takes no writes", err
	case strings.HasPrefix(err.Error(), "NOPERM"), strings.HasPrefix(err.Error(), "NOAUTH"), strings.HasPrefix(err.Error(), "WRONGPASS"):
		return "Redis does not let this user write", err
	default:
		return "Redis does not answer", err
	}
}
