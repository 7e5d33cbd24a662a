package datadis

import (
	"context"
)

// Fetch asks for measurements, once: consumption, maximum power or reactive
// energy, as the query's series says. The answer is a whole JSON document that
// nobody has read yet. Store it, then Decode it: Datadis will not repeat it for
// 24 hours.
//
// A query that the client can tell Datadis would refuse is not sent. An
// ErrNoData is an answer too, without a body.
func (s *Session) Fetch(ctx context.Context, q Query) (Answer, error) {
	if err := q.validate(); err != nil {
		return Answer{}, &Error{Kind: ErrInvalidRequest, Endpoint: "query", Err: err}
	}
	return s.ask(ctx, q.endpoint(), q.params())
}
