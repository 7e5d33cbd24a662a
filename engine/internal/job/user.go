package job

import (
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// User is an item of the users queue: one account whose supplies are to be
// listed, for all the sources that hold it.
type User struct {
	Account string  `json:"account"`       // its id
	Login   string  `json:"login"`         // id of the login that asks for it
	NIF     sdk.NIF `json:"nif,omitempty"` // authorised NIF; "" for the login's own supplies
	Wants   []Want  `json:"wants"`

	// LoginSources names every source that holds the login, for this account
	// or another: those are told when it is rejected.
	LoginSources []string `json:"login_sources"`
}

// ID is the item's id. Two logins of one user name, with different passwords,
// are two items.
func (u User) ID() string { return u.Login + "." + u.Account }

// Listing names the last good listing of the account's supplies. A user name
// with two passwords is two logins, and the one that is rejected must not end
// what the other sees.
func (u User) Listing() string { return u.Account + "." + u.Login[:min(8, len(u.Login))] }

// Want says which supplies of an account a source wants.
type Want struct {
	Source string     `json:"source"`
	CUPS   []sdk.CUPS `json:"cups,omitempty"` // empty: all
}

// Includes tells whether the source wants the supply.
func (w Want) Includes(cups sdk.CUPS) bool {
	if len(w.CUPS) == 0 {
		return true
	}
	return slices.ContainsFunc(w.CUPS, func(c sdk.CUPS) bool { return c.Key() == cups.Key() })
}

// unite widens the want by another one of the same source.
func (w Want) unite(other Want) Want {
	if len(w.CUPS) == 0 || len(other.CUPS) == 0 {
		w.CUPS = nil
		return w
	}
	for _, c := range other.CUPS {
		if !w.Includes(c) {
			w.CUPS = append(w.CUPS, c)
		}
	}
	return w
}

// Add adds what a source wants to what is wanted already.
func (u *User) Add(want Want) {
	for i := range u.Wants {
		if u.Wants[i].Source == want.Source {
			u.Wants[i] = u.Wants[i].unite(want)
			return
		}
	}
	u.Wants = append(u.Wants, want)
}

// Sources names the sources that hold the account.
func (u User) Sources() []string {
	names := make([]string, len(u.Wants))
	for i, w := range u.Wants {
		names[i] = w.Source
	}
	return names
}

// Wanting names the sources that want the supply.
func (u User) Wanting(cups sdk.CUPS) []string {
	var names []string
	for _, w := range u.Wants {
		if w.Includes(cups) {
			names = append(names, w.Source)
		}
	}
	return names
}

// Encode is the body of the item.
func (u User) Encode() ([]byte, error) { return encode(u) }

// DecodeUser reads a body. It fails with ErrVersion for one that another
// version wrote.
func DecodeUser(body []byte) (User, error) { return decode[User](body) }

// UniteUser is the body of an account that was queued before as current (nil if
// it was not), with another one's wants added.
func UniteUser(current []byte, add User) ([]byte, error) {
	if current == nil {
		return add.Encode()
	}
	known, err := DecodeUser(current)
	if err != nil {
		return nil, err
	}
	for _, want := range add.Wants {
		known.Add(want)
	}
	known.LoginSources = union(known.LoginSources, add.LoginSources)
	return known.Encode()
}

// union is the sorted names of both.
func union(a, b []string) []string {
	names := slices.Concat(a, b)
	slices.Sort(names)
	return slices.Compact(names)
}
