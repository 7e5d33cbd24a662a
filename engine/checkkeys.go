package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/vault"
)

func checkKeys(_ context.Context, _ *app, s *settings.Settings) []finding {
	switch {
	case len(s.Secrets.Keys) > 0:
		return found(fine, fmt.Sprintf("%d, number %d encrypts", len(s.Secrets.Keys), s.Secrets.Keys[0].ID), "")
	case encryptsNothing(s):
		return found(fine, "none; local mode makes one per process", "")
	default:
		return found(broken, "secrets.keys is not set, and credentials lie on a server", "make one with `engine secret new-key` and give every process the same")
	}
}

// checkEncrypted looks which keys are needed for what is kept.
func checkEncrypted(ctx context.Context, _ *app, s *settings.Settings) []finding {
	switch {
	case encryptsNothing(s):
		return found(skipped, "local mode keeps nothing that is encrypted", "")
	case len(s.Secrets.Keys) == 0:
		return found(skipped, "there is no key", "")
	}
	k, closeKeep, err := openKeep(ctx, s)
	if err != nil {
		return found(skipped, "Redis cannot be read", "")
	}
	defer func() { _ = closeKeep() }()
	usage, err := k.Look(ctx)
	if err != nil {
		return found(broken, err.Error(), "correct the rights of the Redis user; docs/servers.md has them")
	}
	return judgeUsage(usage, s.Secrets.Keys)
}

// judgeUsage compares the keys that are needed with those that are there.
func judgeUsage(u vault.Usage, keys []settings.Key) []finding {
	known := make(map[uint8]bool)
	var unneeded []string
	for i, key := range keys {
		known[key.ID] = true
		if i > 0 && !u.Needs(key.ID) {
			unneeded = append(unneeded, fmt.Sprint(key.ID))
		}
	}
	needed := slices.Sorted(maps.Keys(u.Logins))
	if u.Identities != 0 && !slices.Contains(needed, u.Identities) {
		needed = append(needed, u.Identities)
	}
	var findings []finding
	for _, key := range needed {
		if !known[key] {
			findings = append(findings, finding{State: broken, Detail: fmt.Sprintf("something is encrypted with key %d, which is not in secrets.keys", key),
				Remedy: "put it back, behind the others, and run `engine secret rotate`"})
		}
	}
	if left := olderThan(u, keys[0].ID); len(left) > 0 && len(findings) == 0 {
		findings = found(doubt, strings.Join(left, ", "), "run `engine secret rotate` before that key is taken out")
	}
	if len(findings) > 0 {
		return findings
	}
	detail := fmt.Sprintf("all is encrypted with key %d", keys[0].ID)
	if len(unneeded) > 0 {
		detail += "; nothing needs key " + strings.Join(unneeded, " or ") + ", and it can be taken out"
	}
	return found(fine, detail, "")
}
