// Package datadis asks Datadis: it logs in, lists supplies and contracts,
// fetches measurements, and decodes them. Everything odd about the API ends
// here; behind it are times in UTC, exact decimals and the types of package
// sdk.
//
// A [Client] is made once per process, a [Session] once per login. Fetching and
// decoding are apart: [Session.Fetch] gives the body as it came, which the
// caller stores first, and [Decode] reads it, then or years later.
//
// The client never repeats a guarded query (consumption, maximum power,
// reactive energy) by itself: Datadis refuses an identical one for 24 hours.
// Such queries are named by [Query.Key]; when to ask again is the ledger's
// business. What went wrong is told by the [Kind] of an [*Error].
//
// The files, in the order of a call:
//
//	config.go client.go          settings; the client and its round trippers
//	session.go token.go          one login: its token, its cap
//	endpoint.go query.go         what can be asked
//	call.go exchange.go body.go  one call, one HTTP exchange, one body
//	transport_*.go               round trippers, a concern each
//	errors.go classify.go        what an answer means
//	supplies.go contracts.go     lists
//	decode.go document.go        bodies of measurements, and of anything
//	table.go                     rows of consumption as columns
//	labels.go days.go change.go  from local labels to UTC
//	chunks.go hash.go            from rows to chunks
//	power.go reactive.go         the monthly series
package datadis
