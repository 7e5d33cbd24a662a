package job

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Device is an item of the devices queue: one supply, and the accounts that
// see it. It is downloaded through one of them and delivered to the sources of
// all.
type Device struct {
	Accesses []Access `json:"accesses"` // the first is asked first
	// Again says that the supply was a dead letter and is to be tried again:
	// every incomplete chunk is asked for, tries left or not.
	Again bool `json:"again,omitempty"`
}

// Access is one account's view of a supply.
type Access struct {
	Account string   `json:"account"`
	Login   string   `json:"login"`
	NIF     sdk.NIF  `json:"nif,omitempty"`
	Sources []string `json:"sources"` // that want the supply and hold the account

	CUPS        sdk.CUPS        `json:"cups"` // as listed for this account, and sent back so
	Distributor sdk.Distributor `json:"distributor"`
	PointType   int             `json:"point_type"`
	ValidFrom   time.Time       `json:"valid_from,omitzero"`
	Supply      json.RawMessage `json:"supply,omitempty"` // Datadis's own row
}

// ID is the item's id: what all spellings of the CUPS have in common.
func (d Device) ID() string { return string(d.Accesses[0].CUPS.Key()) }

// Sources names every source that is entitled to the supply, sorted.
func (d Device) Sources() []string {
	var names []string
	for _, a := range d.Accesses {
		names = append(names, a.Sources...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Unite adds an access: the sources of an account that is known unite, and its
// supply is the newer one.
func (d *Device) Unite(access Access) {
	for i, known := range d.Accesses {
		if known.Account != access.Account {
			continue
		}
		access.Sources = union(known.Sources, access.Sources)
		d.Accesses[i] = access
		return
	}
	d.Accesses = append(d.Accesses, access)
}

// Encode is the body of the item.
func (d Device) Encode() ([]byte, error) { return encode(d) }

// errNoAccess says that no account of a body sees the supply.
var errNoAccess = errors.New("the queue item names no account that sees the supply")

// DecodeDevice reads a body. It fails with ErrVersion for one that another
// version wrote.
func DecodeDevice(body []byte) (Device, error) {
	device, err := decode[Device](body)
	if err == nil && len(device.Accesses) == 0 {
		err = errNoAccess
	}
	return device, err
}

// UniteDevice is the body of a supply that was queued before as current (nil
// if it was not), with another account's access added, and the login that is
// to ask for it. Again marks it as Device.Again says.
func UniteDevice(current []byte, add Access, again bool) (body []byte, login string, err error) {
	var device Device
	if current != nil {
		if device, err = DecodeDevice(current); err != nil {
			return nil, "", err
		}
	}
	device.Unite(add)
	device.Again = device.Again || again
	body, err = device.Encode()
	return body, device.Accesses[0].Login, err
}
