// Package simulator is a Datadis to try things against: an HTTP server that
// answers like the real one, with its headers, texts, months, labels and
// refusals, over a world of logins and supplies that it makes up from a seed or
// reads from a file.
//
// It shares no code with the client that it serves, so that a mistake in one
// of them is not hidden by the same mistake in the other.
//
// # What is the same in every run
//
// The seed decides the world, every value of every quarter of an hour, and
// which calls a fault with a probability hits. The clock decides what of it is
// published: see [Config.Now], [Config.Lag] and POST /simulator/clock.
//
// # World file
//
// A world that is written by hand names logins, supplies and consents. Every
// key but those of the example's first supply may be left out:
//
//	{
//	  "logins": [
//	    {"username": "12345678Z", "password": "first"},
//	    {"username": "00000000T", "password": "second"}
//	  ],
//	  "supplies": [
//	    {"cups": "ES0031000000000001BJ0F", "holders": ["12345678Z"], "distributor": "2", "point_type": 5},
//	    {"cups": "ES0021000000000001RK", "holders": ["A58818501"], "distributor": "8", "point_type": 3,
//	     "from": "2024-02-01", "to": "2026-06-30", "surplus": true, "generation": true,
//	     "powers": [20, 20, 20, 20, 20, 20], "address": "CALLE EJEMPLO 1", "postal_code": "08001",
//	     "province": "Barcelona", "municipality": "BARCELONA",
//	     "earlier": [{"from": "2019-05-01", "to": "2024-01-31"}]}
//	  ],
//	  "consents": [
//	    {"holder": "A58818501", "login": "12345678Z"},
//	    {"holder": "A58818501", "login": "00000000T", "cups": ["ES0021000000000001RK"],
//	     "status": "VIGENTE", "from": "2025-01-01", "to": "2026-12-31"}
//	  ],
//	  "distributors": [
//	    {"code": "8", "dst": "B", "quarters": "end", "method": "", "midnight": "next-day"}
//	  ]
//	}
//
// A holder's own login sees the holder's supplies; another login sees them
// with authorizedNif=holder while a consent is in force. See [Supply],
// [Consent] and [Distributor] for the keys. A file without logins only changes
// the distributors of the world made from the seed.
//
// # Faults
//
// Faults are a JSON array of rules, from a file or POST /simulator/faults. The
// first rule that matches a call decides. Three in ten of the first calls of
// each query fail, one way or another:
//
//	[{"match": {"nth": 1, "probability": 0.3},
//	  "fault": {"kind": ["500", "502", "html200", "cut"]}}]
//
// See [Rule], [Match] and [Fault].
//
// # For checkers
//
//	GET  /simulator/truth         what a perfect client knows now, as CSV
//	GET  /simulator/entitlements  who may see which supply now, as CSV
//	GET  /simulator/requests      the request log, as JSON lines; ?outcome= filters
//	GET  /simulator/summary       calls by endpoint and outcome
//	GET  /simulator/users         the users CSV of the world, passwords included
//	GET, POST /simulator/clock    {"now": RFC 3339} or {"advance": "24h"}, and {"stopped": true}
//	GET, POST, DELETE /simulator/faults
//
// These answer to loopback addresses only.
package simulator
