package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
)

// openKept opens what outlives runs, to look at it: the file of local mode, or
// the Redis of the devices queue.
func (a *app) openKept(s *settings.Settings) (store.Store, func() error, error) {
	if !s.Local().Devices {
		client, err := openRedis("redis.devices.url", s.Redis.Devices.URL)
		if err != nil {
			return nil, nil, err
		}
		return store.NewRedis(client, storePrefix), client.Close, nil
	}
	path := filepath.Join(s.DataDir, storeName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no %s: nothing was run here yet; `engine run` makes it, data_dir says where", path)
	}
	file, err := store.OpenBoltReadOnly(path)
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}

// kept does something with what outlives runs.
func (a *app) kept(do func(store.Store) error) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	kept, done, err := a.openKept(s)
	if err != nil {
		return err
	}
	return errors.Join(do(kept), done())
}
