// Package job holds what lies on the two queues, and what the steps say of it.
//
// A User is one account to list; a Device is one supply to download. Both
// outlive a deployment, since engines of two versions share Redis during a
// rollout: their JSON is versioned, and an unknown version is an error. Neither
// carries a secret: a login is named by its id.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
)

// version of the bodies that this engine writes and reads.
const version = 1

// ErrVersion says that a body was written by another version of the engine.
var ErrVersion = errors.New("unknown version of the queue item")

// encode writes a body with its version.
func encode[T any](v T) ([]byte, error) {
	type body struct {
		Version int `json:"v"`
		Item    T   `json:"item"`
	}
	data, err := json.Marshal(body{version, v})
	if err != nil {
		return nil, fmt.Errorf("encode queue item: %w", err)
	}
	return data, nil
}

// decode reads a body of the current version.
func decode[T any](data []byte) (T, error) {
	var body struct {
		Version int             `json:"v"`
		Item    json.RawMessage `json:"item"`
	}
	var v T
	if err := json.Unmarshal(data, &body); err != nil {
		return v, unreadable(err)
	}
	if body.Version != version {
		return v, fmt.Errorf("%w: %d, this engine reads %d", ErrVersion, body.Version, version)
	}
	if err := json.Unmarshal(body.Item, &v); err != nil {
		return v, unreadable(err)
	}
	return v, nil
}

// ErrUnreadable says that a body is none that an engine wrote.
var ErrUnreadable = errors.New("the queue item cannot be read: it is cut off, or no engine wrote it")

// unreadable says what is wrong with a body, in words that are for people and
// without anything of what is in it.
func unreadable(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return fmt.Errorf("%w (%s is of the wrong kind)", ErrUnreadable, kind.Field)
	}
	return ErrUnreadable
}
