package simulator

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// inForce is the status of a consent that lets somebody see something.
const inForce = "VIGENTE"

// login is who the given name and password let in.
func (w *world) login(username, password string) (string, bool) {
	if a := w.anybody; a != nil {
		ok := username != "" && password != "" &&
			(a.Username == "" || a.Username == username) && (a.Password == "" || a.Password == password)
		return username, ok
	}
	l, known := w.logins[username]
	if !known {
		l, known = w.logins[strings.ToUpper(username)]
	}
	return l.Username, known && l.Password == password
}

// visible lists what a login sees at a time: its own supplies, or those of a
// holder who authorised it. Lower-case NIFs are as good as others. One's own
// NIF is nobody's who authorised: no world has consents to oneself.
func (w *world) visible(login, nif string, now time.Time) []*supply {
	var seen []*supply
	switch nif = strings.ToUpper(nif); {
	case nif == "" && w.anybody != nil:
		seen = w.supplies
	case nif == "":
		seen = w.byHolder[login]
	default:
		seen = w.authorised(pair{login, nif}, now)
	}
	return slices.DeleteFunc(slices.Clone(seen), func(s *supply) bool { return !s.exists(now) })
}

func (w *world) authorised(key pair, now time.Time) []*supply {
	var seen []*supply
	for _, s := range w.byHolder[key.holder] {
		if w.consented(key, s.CUPS, now) {
			seen = append(seen, s)
		}
	}
	return seen
}

func (w *world) consented(key pair, cups string, now time.Time) bool {
	return slices.ContainsFunc(w.consents[key], func(c consent) bool {
		return c.Status == inForce && c.covers(now) && (c.only == nil || c.only[cups])
	})
}

// supply is the one with exactly that CUPS if the login sees it; else nil.
func (w *world) supply(login, nif, cups string, now time.Time) *supply {
	s := w.byCUPS[cups]
	nif = strings.ToUpper(nif)
	switch {
	case s == nil || !s.exists(now):
		return nil
	case nif == "" && (w.anybody != nil || slices.Contains(s.Holders, login)):
		return s
	case nif != "" && slices.Contains(s.Holders, nif) && w.consented(pair{login, nif}, cups, now):
		return s
	}
	return nil
}

// exists tells whether any contract of the supply has begun.
func (s *supply) exists(now time.Time) bool { return !s.first().After(now) }

// first is when the first contract that is listed began.
func (s *supply) first() time.Time {
	first := s.from
	for _, p := range s.earlier {
		if p.from.Before(first) {
			first = p.from
		}
	}
	return first
}

// Entitlement says that a login sees a supply, by itself or as NIF.
type Entitlement struct{ Username, NIF, CUPS string }

// entitlements lists who sees what at a time, in a fixed order.
func (w *world) entitlements(now time.Time) []Entitlement {
	var all []Entitlement
	add := func(login, nif string) {
		for _, s := range w.visible(login, nif, now) {
			all = append(all, Entitlement{login, nif, s.CUPS})
		}
	}
	for login := range w.logins {
		add(login, "")
	}
	for key := range w.consents {
		if _, known := w.logins[key.login]; known {
			add(key.login, key.holder)
		}
	}
	if w.anybody != nil {
		add(w.anybody.Username, "")
	}
	slices.SortFunc(all, func(a, b Entitlement) int {
		return cmp.Or(strings.Compare(a.Username, b.Username), strings.Compare(a.NIF, b.NIF), strings.Compare(a.CUPS, b.CUPS))
	})
	return all
}
