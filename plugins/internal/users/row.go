// Package users is what the shipped sources know about a table of users: how a
// row of it becomes a grant, what is wrong with one, and what is only odd.
package users

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/sdk"
)

// Columns are those that a table of users may have. Only the first two must be
// there.
var Columns = []string{"username", "password", "authorized_nifs", "self", "cups"}

// Row is one user of a table.
type Row struct {
	Place    string // "line 7"
	Grant    sdk.Grant
	Warnings []string // what is odd, but no reason to leave the user out
}

// Cells are a row's values before they are understood. No message may quote
// one: where columns are shifted, any of them may hold the password.
type Cells struct {
	Username, Password string
	NIFs, CUPS         []string
	Self               string
}

// SplitCell splits a cell that holds a list.
func SplitCell(cell string) []string { return strings.Split(cell, ";") }

// Row understands the cells. All that is wrong with them is joined in one error.
func (c Cells) Row(place string) (Row, error) {
	var errs [5]error
	g := sdk.Grant{Key: place, Password: sdk.NewSecret(c.Password)}
	g.Username, errs[0] = username(c.Username)
	errs[1] = CheckPassword(c.Password)
	g.AuthorizedNIFs, errs[2] = list[sdk.NIF]("authorized_nifs", c.NIFs, 1, maxNIF)
	for i, nif := range g.AuthorizedNIFs {
		g.AuthorizedNIFs[i] = sdk.NIF(strings.ToUpper(string(nif)))
	}
	g.AuthorizedNIFs = unique(g.AuthorizedNIFs)
	g.CUPS, errs[3] = list[sdk.CUPS]("cups", c.CUPS, minCUPS, maxCUPS)
	g.CUPS = unique(g.CUPS)
	g.OwnSupplies, errs[4] = self(c.Self, len(g.AuthorizedNIFs) == 0)
	r := Row{Place: place, Grant: g}
	r.warn()
	return r, Placed(place, errs[:]...)
}

// Placed puts the place before each error and joins them.
func Placed(place string, errs ...error) error {
	var all []error
	for _, err := range errs {
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", place, err))
		}
	}
	return errors.Join(all...)
}

// The longest NIF and CUPS that are believed: the true ones have 9, and 20 or
// 22 characters, and foreign numbers a few more than 9.
const (
	minCUPS = 20
	maxCUPS = 22
	maxNIF  = 20
)

// username trims a user name and, if it is a NIF, upper-cases it.
func username(cell string) (string, error) {
	name := strings.TrimSpace(cell)
	switch {
	case name == "":
		return "", errors.New("username is empty")
	case hasControl(name):
		return "", errors.New("username contains a control character")
	case looksLikeNIF(name):
		return strings.ToUpper(name), nil
	}
	return name, nil
}

// CheckPassword refuses only what cannot be meant. Everything else is kept byte
// for byte, spaces at the ends included.
func CheckPassword(password string) error {
	switch {
	case strings.TrimSpace(password) == "":
		return errors.New("password is empty")
	case !utf8.ValidString(password):
		return errors.New("password is not UTF-8; save the file as UTF-8")
	}
	return nil
}

// list trims the entries of a list and leaves the empty ones out.
func list[T ~string](column string, entries []string, shortest, longest int) ([]T, error) {
	var out []T
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if len(entry) < shortest || len(entry) > longest || strings.ContainsFunc(entry, notAlphanumeric) {
			return nil, fmt.Errorf("%s has an entry that is not made of %d to %d letters and digits; write ; between entries",
				column, shortest, longest)
		}
		out = append(out, T(entry))
	}
	return out, nil
}

// unique leaves out what was there before, in place.
func unique[T comparable](in []T) []T {
	seen := make(map[T]bool, len(in))
	out := in[:0]
	for _, v := range in {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// truths are the words for yes and no, those of a Spanish Excel among them.
var truths = map[string]bool{
	"true": true, "yes": true, "1": true, "sí": true, "si": true, "si\u0301": true, "verdadero": true,
	"false": false, "no": false, "0": false, "falso": false,
}

// self reads whether the user's own supplies are wanted.
func self(cell string, byDefault bool) (bool, error) {
	word := strings.ToLower(strings.TrimSpace(cell))
	if word == "" {
		return byDefault, nil
	}
	value, known := truths[word]
	if !known {
		return false, errors.New("self is neither true nor false (yes, no, 1, 0, sí do as well)")
	}
	return value, nil
}

// warn finds what is odd. Datadis decides what is wrong.
func (r *Row) warn() {
	g := r.Grant
	if looksLikeNIF(g.Username) && !validNIF(sdk.NIF(g.Username)) {
		r.Warnings = append(r.Warnings, "username has a wrong control letter")
	}
	for i, nif := range g.AuthorizedNIFs {
		if !validNIF(nif) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("authorized_nifs: entry %d is no Spanish NIF, or its control letter is wrong", i+1))
		}
	}
	for i, cups := range g.CUPS {
		if !validCUPS(cups) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("cups: entry %d is no CUPS, or its control letters are wrong", i+1))
		}
	}
	if r.WantsNothing() {
		r.Warnings = append(r.Warnings, "left out, since it asks for nothing: self is false and authorized_nifs is empty")
	}
}

// WantsNothing tells whether there is nothing to ask Datadis for.
func (r *Row) WantsNothing() bool {
	return !r.Grant.OwnSupplies && len(r.Grant.AuthorizedNIFs) == 0
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
