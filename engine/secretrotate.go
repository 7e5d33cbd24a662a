package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/vault"
)

const rotateHelp = `Encrypt all that is kept with the first key of secrets.keys: the key of the ids,
and the logins of the runs that are not over. To change keys:

  1. engine secret new-key, and add the key behind the old one, for every process
  2. put the new key first, for every process
  3. engine secret rotate; it says when the old key can be taken out
  4. take the old key out

Keys that are added and put first at once work too: a process that does not know
a key yet hands its work back until it is restarted with it. Nothing stops
meanwhile, and rotating twice does no harm.

Exit codes: 0 the first key is the only one that is needed, 1 another one still
is.`

func newSecretRotateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rotate",
		Short:   "Encrypt all that is kept with the first key",
		Long:    rotateHelp,
		Example: "  engine secret rotate\n  engine secret rotate --output json",
		Args:    cobra.NoArgs,
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		done, err := rotate(cmd.Context(), s)
		if err != nil {
			return err
		}
		if err := printOne(p, done, done.write); err != nil {
			return err
		}
		if len(done.Left) > 0 {
			return &exitError{code: codeFailed}
		}
		return nil
	}
	return cmd
}

// rotation is what a rotation did.
type rotation struct {
	Local      string   `json:"local,omitempty"` // what does not apply in local mode, and why
	Key        uint8    `json:"key,omitempty"`   // what all is encrypted with now
	Identities bool     `json:"identities"`      // the key of the ids was encrypted anew
	Logins     int      `json:"logins"`          // how many were
	Left       []string `json:"left"`            // why other keys are needed still
	Removable  []uint8  `json:"removable"`       // keys that can be taken out
}

func rotate(ctx context.Context, s *settings.Settings) (rotation, error) {
	done := rotation{Left: []string{}, Removable: []uint8{}, Local: notKept(s)}
	if encryptsNothing(s) {
		return done, nil
	}
	sealer, err := newSealer(s)
	if err != nil {
		return done, err
	}
	k, closeKeep, err := openKeep(ctx, s)
	if err != nil {
		return done, err
	}
	rotated, err := k.Rotate(ctx, sealer)
	if err == nil {
		done.Key, done.Identities, done.Logins = sealer.First(), rotated.Identities, rotated.Logins
		err = done.judge(ctx, s, k, rotated.Failed)
	}
	return done, errors.Join(err, closeKeep())
}

// notKept says what local mode keeps to itself.
func notKept(s *settings.Settings) string {
	var parts []string
	if s.Local().Devices {
		parts = append(parts, "the key of the ids lies in a file of "+s.DataDir+" and is not encrypted")
	}
	if s.Local().Users {
		parts = append(parts, "logins live no longer than the process")
	}
	if len(parts) == 0 {
		return ""
	}
	return "local mode: " + strings.Join(parts, ", ")
}

// openKeep connects to where something lies encrypted.
func openKeep(ctx context.Context, s *settings.Settings) (vault.Keep, func() error, error) {
	var k vault.Keep
	var opened closers
	connect := func(key string, address settings.URL) (redis.UniversalClient, error) {
		client, err := openRedis(key, address)
		if err != nil {
			return nil, err
		}
		opened.add(client.Close)
		if err := redisaccess.Check(ctx, client); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		return client, nil
	}
	err := func() error {
		if !s.Local().Devices {
			client, err := connect("redis.devices.url", s.Redis.Devices.URL)
			if err != nil {
				return err
			}
			k.Store = store.NewRedis(client, storePrefix)
		}
		if !s.Local().Users {
			client, err := connect("redis.users.url", s.Redis.Users.URL)
			if err != nil {
				return err
			}
			k.Users, k.List = client, store.NewRedis(client, storePrefix).Keys
		}
		return nil
	}()
	if err != nil {
		return k, nil, errors.Join(err, opened.run())
	}
	return k, opened.run, nil
}

// judge looks again, at what is there now: which keys are needed, and which can
// be taken out. None can while a producer is at work, which may have been
// started with another key in front.
func (r *rotation) judge(ctx context.Context, s *settings.Settings, k vault.Keep, failed []error) error {
	usage, err := k.Look(ctx)
	if err != nil {
		return err
	}
	for _, one := range failed {
		r.Left = append(r.Left, one.Error())
	}
	if len(failed) == 0 { // what came meanwhile
		r.Left = append(r.Left, olderThan(usage, r.Key)...)
	}
	producing, err := atWork(ctx, s, k.Users)
	if err != nil {
		return err
	}
	for _, run := range producing {
		r.Left = append(r.Left, "a producer is at work in run "+run+", and may have been started with another key in front; rotate again when it is done")
	}
	for _, key := range s.Secrets.Keys[1:] {
		if len(r.Left) == 0 {
			r.Removable = append(r.Removable, key.ID)
		}
	}
	return nil
}

// olderThan says what is encrypted with other keys than the first.
func olderThan(u vault.Usage, first uint8) []string {
	var left []string
	if u.Identities != 0 && u.Identities != first {
		left = append(left, fmt.Sprintf("the key of the ids is encrypted with key %d", u.Identities))
	}
	for _, key := range slices.Sorted(maps.Keys(u.Logins)) {
		if key != first {
			left = append(left, fmt.Sprintf("%s encrypted with key %d", counted(u.Logins[key], "login is", "logins are"), key))
		}
	}
	return left
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// atWork lists the runs in which a producer is at work.
func atWork(ctx context.Context, s *settings.Settings, client redis.UniversalClient) ([]string, error) {
	if client == nil {
		return nil, nil
	}
	registry := runs.NewRegistry(client, s.Run.ProducerSilence)
	open, err := registry.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var producing []string
	for _, run := range open {
		at, err := registry.Producing(ctx, run.ID)
		if err != nil {
			return nil, err
		}
		if at {
			producing = append(producing, run.ID)
		}
	}
	return producing, nil
}

// write tells people what was done, and what they can do next.
func (r rotation) write(w io.Writer) error {
	var lines []string
	if r.Local != "" {
		lines = append(lines, r.Local)
	}
	if r.Key == 0 {
		lines = append(lines, "there is nothing to rotate")
	} else {
		lines = append(lines, r.did())
	}
	for _, why := range r.Left {
		lines = append(lines, "left: "+why)
	}
	switch {
	case len(r.Left) > 0:
		lines = append(lines, "keep all keys in secrets.keys")
	case len(r.Removable) > 0:
		texts := make([]string, len(r.Removable))
		for i, id := range r.Removable {
			texts[i] = fmt.Sprint(id)
		}
		lines = append(lines, fmt.Sprintf("nothing needs key %s any more; once every process runs with key %d in front, take it out of secrets.keys",
			strings.Join(texts, " or "), r.Key))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func (r rotation) did() string {
	var parts []string
	if r.Identities {
		parts = append(parts, "the key of the ids")
	}
	if r.Logins > 0 {
		parts = append(parts, counted(r.Logins, "login", "logins"))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("nothing had to be encrypted anew with key %d", r.Key)
	}
	return fmt.Sprintf("encrypted anew with key %d: %s", r.Key, strings.Join(parts, ", "))
}
