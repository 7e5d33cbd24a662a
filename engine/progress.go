package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// standing is how far a run has come.
type standing struct {
	Accounts, AccountsDone int64
	Supplies, SuppliesDone int64
	Chunks, Readings       int64
}

// add adds how far another run has come.
func (s *standing) add(other standing) {
	s.Accounts += other.Accounts
	s.AccountsDone += other.AccountsDone
	s.Supplies += other.Supplies
	s.SuppliesDone += other.SuppliesDone
	s.Chunks += other.Chunks
	s.Readings += other.Readings
}

// progress shows how far a run has come: bars with rate and remaining time on
// a terminal, a log line now and then elsewhere.
type progress struct {
	bars     *mpb.Progress // nil: not on a terminal
	accounts *mpb.Bar
	supplies *mpb.Bar
	now      standing
	log      *slog.Logger
	started  time.Time
}

// How often the standing is looked at, and logged where there is no terminal.
const (
	lookEvery = 500 * time.Millisecond
	logEvery  = 15 * time.Second
)

// newProgress makes a progress on the given terminal; nil for none. What is
// logged meanwhile has to go through Writer.
func newProgress(terminal io.Writer) *progress {
	p := &progress{started: time.Now()}
	if terminal == nil {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(terminal), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
	p.accounts = p.bar("accounts", "%d/%d")
	p.supplies = p.bar("supplies", "%d/%d")
	return p
}

func (p *progress) bar(name, counts string) *mpb.Bar {
	return p.bars.New(0, mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 9, C: decor.DindentRight}), decor.CountersNoUnit(counts, decor.WC{W: 12})),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return p.text(name, s) })))
}

// text stands behind a bar: rate and remaining time, or what came.
func (p *progress) text(name string, s decor.Statistics) string {
	if name == "accounts" {
		return ""
	}
	return paceText(s, p.started)
}

// paceText is the rate since the start, and the remaining time.
func paceText(s decor.Statistics, started time.Time) string {
	rate := float64(s.Current) / time.Since(started).Seconds()
	if s.Current == 0 {
		return ""
	}
	text := fmt.Sprintf(" %.1f/s", rate)
	if left := s.Total - s.Current; left > 0 && rate > 0 {
		text += "  " + (time.Duration(float64(left)/rate) * time.Second).String() + " left"
	}
	return text
}

// Writer is where log lines go, so that they stand above the bars.
func (p *progress) Writer(otherwise io.Writer) io.Writer {
	if p.bars == nil {
		return otherwise
	}
	return p.bars
}

// watch shows what look tells until the context ends.
func (p *progress) watch(ctx context.Context, log *slog.Logger, look func(context.Context) (standing, error)) {
	p.log = log
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := look(ctx)
		if err != nil {
			continue // whoever works on the run reports it
		}
		p.show(now)
		if p.bars == nil && now.Accounts > 0 && time.Since(last) >= logEvery {
			last = time.Now()
			p.line()
		}
	}
}

func (p *progress) show(now standing) {
	p.now = now
	if p.bars == nil {
		return
	}
	p.accounts.SetTotal(now.Accounts, false)
	p.accounts.SetCurrent(now.AccountsDone)
	p.supplies.SetTotal(now.Supplies, false)
	p.supplies.SetCurrent(now.SuppliesDone)
}

// line logs the standing.
func (p *progress) line() {
	rate := float64(p.now.SuppliesDone) / time.Since(p.started).Seconds()
	attrs := []any{
		"accounts", fmt.Sprintf("%d/%d", p.now.AccountsDone, p.now.Accounts),
		"supplies", fmt.Sprintf("%d/%d", p.now.SuppliesDone, p.now.Supplies),
		"chunks", p.now.Chunks, "readings", p.now.Readings, "supplies_per_second", fmt.Sprintf("%.1f", rate),
	}
	if left := p.now.Supplies - p.now.SuppliesDone; left > 0 && rate > 0 {
		attrs = append(attrs, "left", (time.Duration(float64(left)/rate) * time.Second).String())
	}
	p.log.Info("progress", attrs...)
}

// finish shows the last standing, and ends.
func (p *progress) finish(last standing) {
	p.show(last)
	p.end()
}

// end leaves the bars as they are.
func (p *progress) end() {
	if p.bars == nil {
		return
	}
	p.accounts.SetTotal(-1, true)
	p.supplies.SetTotal(-1, true)
	p.bars.Wait()
}
