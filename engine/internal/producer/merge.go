package producer

import (
	"errors"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/sdk"
)

// merger expands grants into accounts, one for each authorised NIF and one for
// the user's own supplies, and keeps each account once.
type merger struct {
	ids      Identities
	logins   map[string]*login
	accounts map[string]*job.User // by item id
	order    []string             // item ids, as first seen
}

// login is a user and password, and who holds it.
type login struct {
	username string
	password sdk.Secret
	sources  []string
}

func newMerger(ids Identities) *merger {
	return &merger{ids: ids, logins: make(map[string]*login), accounts: make(map[string]*job.User)}
}

// Errors of grants that cannot be used.
var (
	errNoCredentials = errors.New("it has no user name or no password")
	errNothingWanted = errors.New("it wants neither own supplies nor those of an authorised NIF")
)

// add merges a grant of a source.
func (m *merger) add(source string, g sdk.Grant) error {
	username := strings.TrimSpace(g.Username)
	if username == "" || g.Password.Empty() {
		return errNoCredentials
	}
	nifs := holders(g)
	if len(nifs) == 0 {
		return errNothingWanted
	}
	id := m.login(source, username, g.Password)
	for _, nif := range nifs {
		m.account(id, username, nif).Add(job.Want{Source: source, CUPS: slices.Clone(g.CUPS)})
	}
	return nil
}

// holders lists the NIFs that a grant asks for, "" for the user's own supplies.
// Datadis refuses a user's own NIF as an authorised one (datadis-api.md 6), so
// that one means own supplies.
func holders(g sdk.Grant) []sdk.NIF {
	var nifs []sdk.NIF
	if g.OwnSupplies {
		nifs = append(nifs, "")
	}
	own := canonical(g.Username)
	for _, nif := range g.AuthorizedNIFs {
		n := sdk.NIF(canonical(string(nif)))
		if string(n) == own {
			n = ""
		}
		nifs = append(nifs, n)
	}
	slices.Sort(nifs)
	return slices.Compact(nifs)
}

// canonical is the spelling by which users and NIFs are compared.
func canonical(nif string) string { return strings.ToUpper(strings.TrimSpace(nif)) }

func (m *merger) login(source, username string, password sdk.Secret) string {
	id := m.ids.Login(canonical(username), password.Reveal())
	l, ok := m.logins[id]
	if !ok {
		l = &login{username: username, password: password}
		m.logins[id] = l
	}
	if !slices.Contains(l.sources, source) {
		l.sources = append(l.sources, source)
	}
	return id
}

func (m *merger) account(login, username string, nif sdk.NIF) *job.User {
	user := job.User{Account: m.ids.Account(canonical(username), string(nif)), Login: login, NIF: nif}
	id := user.ID()
	known, ok := m.accounts[id]
	if !ok {
		known = &user
		m.accounts[id] = known
		m.order = append(m.order, id)
	}
	return known
}

// users lists the accounts in the order in which they were named.
func (m *merger) users() []job.User {
	users := make([]job.User, 0, len(m.order))
	for _, id := range m.order {
		user := *m.accounts[id]
		user.LoginSources = m.logins[user.Login].sources
		users = append(users, user)
	}
	return users
}

// count adds the logins and accounts of each source to the report.
func (m *merger) count(r *Report) {
	for _, l := range m.logins {
		for _, source := range l.sources {
			r.Logins[source]++
		}
	}
	for _, user := range m.accounts {
		for _, source := range user.Sources() {
			r.Accounts[source]++
		}
	}
	r.Merged = len(m.accounts)
}
