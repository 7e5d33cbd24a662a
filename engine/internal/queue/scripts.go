package queue

import (
	"context"
	"embed"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// The scripts; each file says what it takes and gives.
var (
	pushScript     = script("push")
	mergeScript    = script("merge")
	claimScript    = script("claim")
	renewScript    = script("renew")
	endScript      = script("end")
	retryScript    = script("retry")
	crashScript    = script("crash")
	releaseScript  = script("release")
	moveScript     = script("move")
	penaliseScript = script("penalise")
	holdScript     = script("hold")
	tickScript     = script("tick")
	repairScript   = script("repair")
	deferScript    = script("defer")
	sealScript     = script("seal")
	reopenScript   = script("reopen")
	statsScript    = script("stats")
)

func script(name string) *redis.Script {
	return redis.NewScript(source("common") + source(name))
}

func source(name string) string {
	text, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the files are compiled in
	}
	return string(text)
}

// eval runs a script on the queue's keys. The first argument that scripts
// expect, the channel, is added here.
func (q *Queue) eval(ctx context.Context, s *redis.Script, args ...any) *redis.Cmd {
	return s.Run(ctx, q.client, q.keys, append([]any{q.channel}, args...)...)
}

// evalInt runs a script whose result is a number.
func (q *Queue) evalInt(ctx context.Context, s *redis.Script, args ...any) (int64, error) {
	return q.eval(ctx, s, args...).Int64()
}

// evalList runs a script whose result is a list of numbers.
func (q *Queue) evalList(ctx context.Context, s *redis.Script, args ...any) ([]int64, error) {
	return q.eval(ctx, s, args...).Int64Slice()
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// text is an element of a script's reply as a string.
func text(reply any) (string, error) {
	switch reply := reply.(type) {
	case string:
		return reply, nil
	case int64:
		return strconv.FormatInt(reply, 10), nil
	default:
		return "", fmt.Errorf("redis answered %T where a string was expected", reply)
	}
}
