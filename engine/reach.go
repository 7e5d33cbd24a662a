package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/web"
)

// answers is whoever answers what a command asks: the process that works in
// local mode, or this one, with the servers or the file.
type answers struct {
	web.Desk
	web.Actions
	close func() error
}

// ask lets a command ask, and closes what was opened for it. In local mode the
// process that holds the queues and the file is asked, if there is one.
func (a *app) ask(ctx context.Context, s *settings.Settings, writes bool, do func(answers) error) error {
	who, err := a.reach(ctx, s, writes)
	if err != nil {
		return err
	}
	return errors.Join(do(who), who.close())
}

// reach finds whoever answers; close it.
func (a *app) reach(ctx context.Context, s *settings.Settings, writes bool) (answers, error) {
	if s.Local().Any() {
		client, err := web.Dial(ctx, s.DataDir)
		if err == nil {
			return answers{client, client, client.Close}, nil
		}
		if !errors.Is(err, web.ErrNobody) {
			return answers{}, err
		}
	}
	sv, err := a.openKeptServers(s, writes)
	if err != nil {
		return answers{}, err
	}
	c := deskConfig(sv, clock(s.Run.Now))
	if sv.users != nil && sv.devices != nil {
		c.Registry = runs.NewRegistry(sv.users, s.Run.ProducerSilence)
		c.Queues = func(run string) (users, devices *queue.Queue) {
			q := openQueues(s, sv, run, slog.New(slog.DiscardHandler))
			return q.users, q.devices
		}
	}
	d := desk.New(c)
	return answers{d, d, sv.close.run}, nil
}

// openKeptServers opens what is there while no run is: the configured Redis, and
// the file of local mode.
func (a *app) openKeptServers(s *settings.Settings, writes bool) (*servers, error) {
	sv := &servers{}
	for _, one := range []struct {
		local  bool
		key    string
		url    settings.URL
		client *redis.UniversalClient
	}{
		{s.Local().Users, "redis.users.url", s.Redis.Users.URL, &sv.users},
		{s.Local().Devices, "redis.devices.url", s.Redis.Devices.URL, &sv.devices},
	} {
		if one.local {
			continue
		}
		client, err := openRedis(one.key, one.url)
		if err != nil {
			return nil, errors.Join(err, sv.close.run())
		}
		sv.close.add(client.Close)
		*one.client = client
	}
	if !s.Local().Devices {
		sv.store = store.NewRedis(sv.devices, storePrefix)
		return sv, nil
	}
	file, err := openStoreFile(s, writes)
	if err != nil {
		return nil, errors.Join(err, sv.close.run())
	}
	sv.close.add(file.Close)
	sv.store = file
	return sv, nil
}

// openStoreFile opens the file of local mode, which must be there.
func openStoreFile(s *settings.Settings, writes bool) (*store.Bolt, error) {
	path := filepath.Join(s.DataDir, storeName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: nothing was run here yet; `engine run` makes it, data_dir says where", path)
	}
	if writes {
		return store.OpenBolt(path)
	}
	return store.OpenBoltReadOnly(path)
}
