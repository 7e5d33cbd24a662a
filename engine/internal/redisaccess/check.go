package redisaccess

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed probe.lua
var probeSource string

var probeScript = redis.NewScript(probeSource)

// Keys that are written and deleted again; should that fail, they expire.
const (
	probeKey  = prefix + "{check}:"
	probeLife = time.Minute
)

// Check tells whether the engine can work with a Redis: that it answers, takes
// the password, and allows what the engine does. Its error says what to do. It
// leaves nothing behind.
func Check(ctx context.Context, client redis.UniversalClient) error {
	if err := client.Ping(ctx).Err(); err != nil {
		return Explain(err)
	}
	var refused refusals
	for _, try := range []func(context.Context, redis.UniversalClient, *refusals) error{
		tryScript, tryCommands, tryTransaction, trySubscription, tryScan,
	} {
		if err := try(ctx, client, &refused); err != nil {
			return Explain(err)
		}
	}
	return refused.err()
}

// refusals are commands that the user may not send.
type refusals []string

// note takes a refusal, and gives back any other error.
func (r *refusals) note(command string, err error) error {
	if err == nil || errors.Is(err, redis.Nil) {
		return nil
	}
	if !isRefusal(err.Error()) {
		return err
	}
	if !slices.Contains(*r, command) {
		*r = append(*r, command)
	}
	return nil
}

func (r *refusals) err() error {
	if len(*r) == 0 {
		return nil
	}
	return fmt.Errorf("the user may not do all that the engine does, on keys and channels that begin with %s: "+
		"Redis refuses %s; give it the rules that docs/servers.md lists", prefix, strings.Join(*r, ", "))
}

func isRefusal(answer string) bool {
	return strings.Contains(answer, "NOPERM") || strings.Contains(answer, "The user executing the script can't") // 6.2
}

func tryScript(ctx context.Context, client redis.UniversalClient, refused *refusals) error {
	keys := []string{probeKey + "hash", probeKey + "set", probeKey + "text"}
	failed, err := probeScript.Run(ctx, client, keys, probeKey+"channel").StringSlice()
	if err != nil {
		return refused.note("eval", err)
	}
	for ; len(failed) > 1; failed = failed[2:] {
		if err := refused.note(failed[0], errors.New(failed[1])); err != nil {
			return err
		}
	}
	return nil
}

func tryCommands(ctx context.Context, client redis.UniversalClient, refused *refusals) error {
	hash, set := probeKey+"h", probeKey+"s"
	sent, _ := client.Pipelined(ctx, func(p redis.Pipeliner) error { // each command says itself how it went
		p.HSetNX(ctx, hash, "f", "1")
		p.PExpire(ctx, hash, probeLife)
		p.HVals(ctx, hash)
		p.HScan(ctx, hash, 0, "", 1)
		p.SAdd(ctx, set, "m")
		p.PExpire(ctx, set, probeLife)
		p.SMembers(ctx, set)
		p.ZRevRange(ctx, probeKey+"z", 0, 0)
		p.Unlink(ctx, hash, set)
		return nil
	})
	for _, command := range sent {
		if err := refused.note(command.Name(), command.Err()); err != nil {
			return err
		}
	}
	return nil
}

func tryTransaction(ctx context.Context, client redis.UniversalClient, refused *refusals) error {
	_, err := client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.HVals(ctx, probeKey+"h")
		return nil
	})
	if err != nil && slices.Contains(*refused, "hvals") {
		return nil // it says nothing new
	}
	return refused.note("multi", err)
}

func trySubscription(ctx context.Context, client redis.UniversalClient, refused *refusals) error {
	subscription := client.Subscribe(ctx, probeKey+"channel")
	defer func() { _ = subscription.Close() }() // nothing is lost with it
	_, err := subscription.Receive(ctx)
	return refused.note("subscribe", err)
}

func tryScan(ctx context.Context, client redis.UniversalClient, refused *refusals) error {
	scan := func(ctx context.Context, node *redis.Client) error {
		return node.Scan(ctx, 0, probeKey+"*", 1).Err()
	}
	switch client := client.(type) {
	case *redis.ClusterClient:
		return refused.note("scan", client.ForEachMaster(ctx, scan))
	case *redis.Client:
		return refused.note("scan", scan(ctx, client))
	default:
		return nil
	}
}
