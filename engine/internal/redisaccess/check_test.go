package redisaccess_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

// The engine's user passes the check on every kind of server, and the check
// leaves no key behind.
func TestCheckPasses(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		client := b.Client(t)
		if err := redisaccess.Check(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		keys, _, err := client.Scan(t.Context(), 0, "dd:*", 1000).Result()
		if err != nil || len(keys) != 0 {
			t.Errorf("left %q, %v", keys, err)
		}
	})
}

// None of the rules can be left out: the check names what is missing.
func TestCheckNamesWhatIsRefused(t *testing.T) {
	t.Parallel()
	backend := redistest.Start(t).Backend()
	admin := backend.Admin(t, 0)
	for _, rule := range redisaccess.Rules() {
		command, ok := strings.CutPrefix(rule, "+")
		if !ok || slices.Contains([]string{"exec", "multi", "ping", "evalsha",
			"eval", "info", "select", "unsubscribe", "asking", "cluster|slots", "command"}, command) {
			continue // see below; the last line is not needed on every server, or only a warning
		}
		err := checkWithout(t.Context(), t, admin, backend, rule)
		if err == nil || !strings.Contains(err.Error(), "Redis refuses "+command+";") || !strings.Contains(err.Error(), "docs/servers.md") {
			t.Errorf("without %s: %v", rule, err)
		}
	}
	for _, rule := range []string{"+exec", "+multi", "+ping", "+evalsha", "~dd:*", "&dd:*"} {
		err := checkWithout(t.Context(), t, admin, backend, rule)
		if err == nil || !strings.Contains(err.Error(), "docs/servers.md") || strings.Contains(err.Error(), password) {
			t.Errorf("without %s: %v", rule, err)
		}
	}
}

const password = "hunter2"

// checkWithout checks as a user that lacks one of the rules.
func checkWithout(ctx context.Context, t *testing.T, admin redis.UniversalClient, b *redistest.Backend, rule string) error {
	t.Helper()
	name := "without-" + strings.NewReplacer("*", "", "+", "", "|", "", "~", "keys-", "&", "channels-", ":", "").Replace(rule)
	args := []any{"ACL", "SETUSER", name, "on", ">" + password}
	for _, r := range redisaccess.Rules() {
		if r != rule {
			args = append(args, r)
		}
	}
	if err := admin.Do(ctx, args...).Err(); err != nil {
		t.Fatal(err)
	}
	client, err := redisaccess.Open("redis://" + name + ":" + password + "@" + b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	return redisaccess.Check(ctx, client)
}
