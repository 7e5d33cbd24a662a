package downloader

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/sdk"
)

// copied is a raw topic in which one copy lies everywhere.
type copied Copy

// Open implements Copies.
func (c copied) Open(context.Context, ledger.Location) (Copy, error) { return Copy(c), nil }

// The raw topic was deleted and made anew: where the ledger says that an answer
// lies, there is that of another supply. Nobody gets what is not theirs, and
// the query is asked again when Datadis allows it.
func TestARawCopyOfAnotherSupplyIsGone(t *testing.T) {
	t.Parallel()
	const ours, others = sdk.CUPS("ES0031000000000001BJ0F"), sdk.CUPS("ES0021000000000001RK")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	month := sdk.NewMonth(2026, time.October)
	l := ledger.New(storetest.Bolt(t), ledger.Config{Now: func() time.Time { return now }})
	book, err := l.Open(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	query := ledger.Query{Account: "a1", CUPS: ours, Distributor: "2", Series: sdk.EnergyHourly, From: month, To: month}.Key()
	if err := book.Keep(t.Context(), query, ledger.Location{Partition: 1, Offset: 2}); err != nil {
		t.Fatal(err)
	}
	theirs := copied{
		Query:  datadis.Query{CUPS: others, Series: sdk.EnergyHourly, From: month, To: month},
		Answer: datadis.Answer{Body: []byte(`{"timeCurve":[],"distributorError":[]}`), ReceivedAt: now},
	}
	task := &task{ // without an outlet: nothing can be published
		Downloader: New(Config{Copies: theirs, Now: func() time.Time { return now }}),
		book:       book, cups: ours, log: slog.New(slog.DiscardHandler),
	}
	if err := task.resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	attempt, _ := book.Attempt(query)
	if _, blocked := book.Blocked(query, now); attempt.Outcome != ledger.OutcomeRefused || !blocked || len(book.Kept()) != 0 {
		t.Errorf("the query is %s, blocked %t, kept %v", attempt.Outcome, blocked, book.Kept())
	}
	if chunk, err := task.open(t.Context(), ledger.Key{Series: sdk.EnergyHourly, Month: month}, ledger.Cell{Raw: &ledger.Location{}}); chunk != nil || err != nil {
		t.Errorf("served to a late source: %v, %v", chunk, err)
	}
}
