// Package ledger remembers, per supply point, what came from Datadis and what
// is missing. It outlives runs.
//
// A [Book] is everything known of one CUPS: a [Cell] for each chunk, and what
// was asked within the last day, since Datadis answers an identical query once
// in 24 hours. Two writes belong to a query: [Book.Intend] before the call, and
// [Book.Record] or [Book.Fail] after it, once the broker has acknowledged what
// came. Each is one atomic write, so that a crash at any instant makes a query
// be repeated and never a chunk be missed.
//
// [Due] and [Undelivered] decide, from a Book and nothing else, what to ask and
// what to deliver.
//
// One CUPS is one hash of the store, a small field per chunk (see codec.go). Its
// size matters: a hundred thousand supplies are kept in memory.
package ledger
