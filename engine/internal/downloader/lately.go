package downloader

import (
	"errors"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
)

// queryKey names the query for the ledger.
func queryKey(access job.Access, ask ledger.Ask) ledger.QueryKey {
	return ledger.Query{
		Account: access.Account, CUPS: access.CUPS, Distributor: access.Distributor,
		PointType: access.PointType, Series: ask.Series, From: ask.From, To: ask.To,
	}.Key()
}

// errRefusedLately says that Datadis refused the query to this account within a
// day. Another account's would be another query.
var errRefusedLately = errors.New("Datadis refused this query within a day")

// askedLately deals with a query that must not be made now.
func (t *task) askedLately(key ledger.QueryKey, ask ledger.Ask, until time.Time) error {
	t.log.Info("asked lately; deferred", "series", ask.Series, "from", ask.From, "to", ask.To, "until", until)
	if attempt, _ := t.book.Attempt(key); attempt.Outcome == ledger.OutcomeRefused {
		return errRefusedLately
	}
	if t.lacked(ask) {
		t.left(ask)
	}
	return nil
}

// lacked tells whether a source lacks content that is known of the chunks.
func (t *task) lacked(ask ledger.Ask) bool {
	for _, key := range ask.Keys() {
		cell, _ := t.book.Cell(key)
		for _, source := range t.device.Sources() {
			if cell.HasContent() && t.book.Delivered(key, source) < cell.Revision {
				return true
			}
		}
	}
	return false
}
