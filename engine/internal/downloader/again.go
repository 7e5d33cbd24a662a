package downloader

import "github.com/datadis-engine/datadis/engine/internal/ledger"

// forgiven tells whether a query may be made although it was refused within a
// day: somebody wants the dead letter to be tried again, and it was refused
// because the account was not authorised. Datadis counts such a query as not
// answered, and the holder may have mended what was wrong.
func (t *task) forgiven(ask ledger.Ask) bool {
	return t.device.Again && t.unauthorised(ask)
}

// unauthorised tells whether the chunks were refused the last time that they
// were asked for, because the account was not authorised.
func (t *task) unauthorised(ask ledger.Ask) bool {
	for _, key := range ask.Keys() {
		if cell, _ := t.book.Cell(key); cell.Class != ledger.Unauthorised {
			return false
		}
	}
	return true
}
