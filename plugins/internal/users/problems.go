package users

import (
	"errors"
	"fmt"
)

// How many problems of a table are told: by the check of a configuration all
// that anybody reads; by a listing what fits the text of an error.
const (
	MaxChecked = 100
	MaxListed  = 10
)

// Problems collects the errors of a table, up to a limit.
type Problems struct {
	Limit int
	errs  []error
	more  int
}

// Add takes an error, and one that joins several apart: each is a sentence.
func (p *Problems) Add(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			p.Add(err)
		}
		return
	}
	if len(p.errs) == p.Limit {
		p.more++
		return
	}
	p.errs = append(p.errs, err)
}

// Named puts the table's name before each error.
func (p *Problems) Named(table string) []error {
	var errs []error
	for _, err := range p.errs {
		errs = append(errs, fmt.Errorf("%s %w", table, err))
	}
	if p.more > 0 {
		errs = append(errs, fmt.Errorf("%s has %d more problems", table, p.more))
	}
	return errs
}

// Join is all errors as one, nil if there are none.
func (p *Problems) Join(table string) error { return errors.Join(p.Named(table)...) }
