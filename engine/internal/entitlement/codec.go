package entitlement

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// A listing in the store is JSON of this version, behind one byte that says
// how it is packed.
const version = 1

const (
	plain   = 'j'
	deflate = 'z'

	packFrom = 1 << 10   // bytes; below, packing gains nothing
	maxSize  = 256 << 20 // bytes of one listing, unpacked: half a million supplies
)

var errVersion = errors.New("written by another version of the engine")

// listed is what one distributor listed last.
type listed struct {
	Version  int       `json:"v"`
	At       time.Time `json:"at"`
	Supplies []Supply  `json:"supplies"`

	failed bool // since; kept in a field of its own
}

// with is the listing after one that failed, and what came of that all the same.
func (l listed) with(came listed) listed {
	supplies := slices.Clone(came.Supplies)
	for _, s := range l.Supplies {
		same := func(other Supply) bool { return other.CUPS.Key() == s.CUPS.Key() }
		if !slices.ContainsFunc(came.Supplies, same) {
			supplies = append(supplies, s)
		}
	}
	at := l.At
	if at.IsZero() {
		at = came.At
	}
	return listed{At: at, Supplies: supplies, failed: true}
}

func (l listed) encode() ([]byte, error) {
	l.Version = version
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if len(text) < packFrom {
		return append([]byte{plain}, text...), nil
	}
	var packed bytes.Buffer
	packed.WriteByte(deflate)
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	err = errors.Join(err, w.Close()) // closing writes the rest
	return packed.Bytes(), err
}

func decode(data []byte) (listed, error) {
	text, err := unpack(data)
	if err != nil {
		return listed{}, err
	}
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return listed{}, fmt.Errorf("not a listing: %w", err)
	}
	if head.Version != version {
		return listed{}, fmt.Errorf("%w (%d; this one knows %d)", errVersion, head.Version, version)
	}
	var l listed
	if err := json.Unmarshal(text, &l); err != nil {
		return listed{}, fmt.Errorf("not a listing: %w", err)
	}
	return l, nil
}

func unpack(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, errors.New("not a listing: it is empty")
	}
	switch packing, data := data[0], data[1:]; packing {
	case plain:
		return data, nil
	case deflate:
		text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxSize+1))
		if err == nil && len(text) > maxSize {
			err = fmt.Errorf("more than %d bytes", maxSize)
		}
		if err != nil {
			return nil, fmt.Errorf("unpack a listing: %w", err)
		}
		return text, nil
	default:
		return nil, fmt.Errorf("%w: packing %q", errVersion, packing)
	}
}
