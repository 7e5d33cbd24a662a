package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrInUse says that another process has the file open. It can be asked
// instead, or the file opened later.
var ErrInUse = errors.New("the file is in use by another process; is an engine running on this data folder?")

const (
	lockPatience = 2 * time.Second      // that opening waits for another process
	batchDelay   = 2 * time.Millisecond // that a write waits for others to share its sync
)

// bucket holds everything: key, separator and field make a flat key, so that
// the fields of a key lie side by side.
var bucket = []byte("hashes")

// Bolt keeps the hashes in one file that one process writes. Writers that come
// at the same time share a transaction; a write that returned is on the disk.
type Bolt struct{ db *bbolt.DB }

// OpenBolt opens the file for reading and writing, and makes it, readable by
// its owner only, if there is none. It fails with ErrInUse while another
// process has it.
func OpenBolt(path string) (*Bolt, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the store: %w", err)
	}
	b, err := open(path, false)
	if err != nil {
		return nil, err
	}
	b.db.MaxBatchDelay = batchDelay
	err = b.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), b.Close())
	}
	return b, nil
}

// OpenBoltReadOnly opens an existing file for reading. Several processes may
// do so, but none while another one writes: that is ErrInUse.
func OpenBoltReadOnly(path string) (*Bolt, error) { return open(path, true) }

func open(path string, readOnly bool) (*Bolt, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockPatience,
		ReadOnly:     readOnly,
		FreelistType: bbolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: %w", path, ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Bolt{db}, nil
}

// Close closes the file. It waits for calls that are under way.
func (b *Bolt) Close() error { return b.db.Close() }

// Get implements Store.
func (b *Bolt) Get(ctx context.Context, key string) (map[string][]byte, error) {
	if err := errors.Join(ctx.Err(), check(key)); err != nil {
		return nil, err
	}
	fields := make(map[string][]byte)
	err := b.db.View(func(tx *bbolt.Tx) error {
		eachField(tx, key, func(flat, value []byte) {
			fields[string(flat[len(key)+1:])] = bytes.Clone(value)
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read a hash from the file: %w", err)
	}
	return fields, nil
}

// Put implements Store.
func (b *Bolt) Put(ctx context.Context, key string, set map[string][]byte, del ...string) error {
	if err := errors.Join(ctx.Err(), checkPut(key, set, del)); err != nil {
		return err
	}
	if len(set) == 0 && len(del) == 0 {
		return nil
	}
	err := b.db.Batch(func(tx *bbolt.Tx) error {
		all := tx.Bucket(bucket)
		for _, field := range del {
			if err := all.Delete(flat(key, field)); err != nil {
				return err
			}
		}
		for field, value := range set {
			if err := all.Put(flat(key, field), value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write a hash to the file: %w", err)
	}
	return nil
}

// PutNew implements Store.
func (b *Bolt) PutNew(ctx context.Context, key, field string, value []byte) ([]byte, error) {
	if err := errors.Join(ctx.Err(), check(key, field)); err != nil {
		return nil, err
	}
	var stored []byte
	err := b.db.Batch(func(tx *bbolt.Tx) error { // may be called again: it starts afresh
		all := tx.Bucket(bucket)
		if known := all.Get(flat(key, field)); known != nil {
			stored = bytes.Clone(known)
			return nil
		}
		stored = bytes.Clone(value)
		return all.Put(flat(key, field), value)
	})
	if err != nil {
		return nil, fmt.Errorf("write a new field to the file: %w", err)
	}
	return stored, nil
}

// Delete implements Store.
func (b *Bolt) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), check(key)); err != nil {
		return err
	}
	err := b.db.Batch(func(tx *bbolt.Tx) error {
		var all [][]byte
		eachField(tx, key, func(flat, _ []byte) { all = append(all, flat) })
		for _, flat := range all {
			if err := tx.Bucket(bucket).Delete(flat); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete a hash from the file: %w", err)
	}
	return nil
}

// Keys implements Store. Each step is a transaction of its own: visit may
// write, and a slow one keeps no pages of the file from being used again.
func (b *Bolt) Keys(ctx context.Context, prefix string, visit func(key string) error) error {
	for from := []byte(prefix); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		key, err := b.next(from)
		if err != nil {
			return fmt.Errorf("list keys of the file: %w", err)
		}
		if key == nil || !bytes.HasPrefix(key, []byte(prefix)) {
			return nil
		}
		if err := visit(string(key)); err != nil {
			return err
		}
		from = append(key, separator[0]+1) // behind all fields of the key
	}
}

// next is the first key that is not before from; nil if there is none.
func (b *Bolt) next(from []byte) (key []byte, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		all := tx.Bucket(bucket)
		if all == nil {
			return nil
		}
		flat, _ := all.Cursor().Seek(from)
		found, _, _ := bytes.Cut(flat, []byte(separator))
		key = bytes.Clone(found)
		return nil
	})
	return key, err
}

// eachField calls visit for all fields of a key. What it hands over is good
// for the transaction only.
func eachField(tx *bbolt.Tx, key string, visit func(flat, value []byte)) {
	all := tx.Bucket(bucket)
	if all == nil {
		return // a file that was opened for reading before anything was written
	}
	prefix := flat(key, "")
	cursor := all.Cursor()
	for k, v := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		visit(k, v)
	}
}

func flat(key, field string) []byte { return []byte(key + separator + field) }
