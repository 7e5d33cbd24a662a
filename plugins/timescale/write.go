package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// write writes the chunks that are newer than what is there. Readers see the
// months before or after it, never between.
func (p *plan) write(ctx context.Context, tx pgx.Tx) error {
	if err := p.findSeries(ctx, tx); err != nil {
		return fmt.Errorf("naming the series: %w", err)
	}
	if err := p.accept(ctx, tx); err != nil {
		return fmt.Errorf("comparing revisions: %w", err)
	}
	if err := p.load(ctx, tx); err != nil {
		return fmt.Errorf("loading readings: %w", err)
	}
	if err := p.replace(ctx, tx); err != nil {
		return fmt.Errorf("replacing readings: %w", err)
	}
	return nil
}

// findSeries gives each job the number of its series. Only those that are
// missing are inserted: a conflict would use up a number each time.
func (p *plan) findSeries(ctx context.Context, tx pgx.Tx) error {
	var sources, cups, properties, resolutions []string
	for _, j := range p.jobs {
		sources, cups = append(sources, j.key.source), append(cups, string(j.key.cups))
		properties = append(properties, string(j.key.series.Property))
		resolutions = append(resolutions, string(j.key.series.Resolution))
	}
	const wanted = `unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS w (source, cups, property, resolution, n)`
	_, err := tx.Exec(ctx, `INSERT INTO series (source, cups, property, resolution)
		SELECT source, cups, property, resolution FROM `+wanted+`
		WHERE NOT EXISTS (SELECT FROM series s WHERE (s.source, s.cups, s.property, s.resolution) = (w.source, w.cups, w.property, w.resolution))
		GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING`, sources, cups, properties, resolutions)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT w.n, s.id FROM `+wanted+` JOIN series s USING (source, cups, property, resolution)`,
		sources, cups, properties, resolutions)
	if err != nil {
		return err
	}
	var n int64
	var id int32
	_, err = pgx.ForEachRow(rows, []any{&n, &id}, func() error {
		p.jobs[n-1].seriesID = id
		return nil
	})
	return err
}

// accept notes the revision of each chunk, unless it, or a newer one, is there.
// The rows that it writes are locked, so that processes which have the same
// chunk take turns. A revision that comes again with another content is one of a
// ledger that was reset: the later answer counts.
func (p *plan) accept(ctx context.Context, tx pgx.Tx) error {
	n := len(p.jobs)
	ids, months, revisions, hashes := make([]int32, n), make([]time.Time, n), make([]int64, n), make([]string, n)
	counts, runs, fetched := make([]int32, n), make([]string, n), make([]time.Time, n)
	for i, j := range p.jobs {
		c := j.chunk
		ids[i], months[i], revisions[i], hashes[i] = j.seriesID, firstDay(j.key), int64(c.Revision), fmt.Sprintf("%016x", c.Hash)
		counts[i], runs[i], fetched[i] = int32(len(j.readings)), c.Run, c.FetchedAt
	}
	rows, err := tx.Query(ctx, acceptNewer, ids, months, revisions, hashes, counts, runs, fetched)
	if err != nil {
		return err
	}
	var number int64
	var accepted, same bool
	_, err = pgx.ForEachRow(rows, []any{&number, &accepted, &same}, func() error {
		j := p.jobs[number-1]
		j.accepted = accepted
		if !accepted && !same {
			p.refused = append(p.refused, older(j.item))
		}
		return nil
	})
	return err
}

const acceptNewer = `WITH incoming AS (
		SELECT * FROM unnest($1::integer[], $2::date[], $3::bigint[], $4::text[], $5::integer[], $6::text[], $7::timestamptz[])
			WITH ORDINALITY AS i (series_id, month, revision, hash, readings, run, fetched_at, n)
	), accepted AS (
		INSERT INTO chunk AS c (series_id, month, revision, hash, readings, run, fetched_at)
		SELECT series_id, month, revision, hash, readings, run, fetched_at FROM incoming ORDER BY n
		ON CONFLICT (series_id, month) DO UPDATE SET revision = excluded.revision, hash = excluded.hash,
			readings = excluded.readings, run = excluded.run, fetched_at = excluded.fetched_at
		WHERE c.revision < excluded.revision
			OR c.revision = excluded.revision AND c.hash <> excluded.hash AND c.fetched_at <= excluded.fetched_at
		RETURNING c.series_id, c.month
	)
	SELECT i.n, a.series_id IS NOT NULL, coalesce(c.revision = i.revision AND c.hash = i.hash, false)
	FROM incoming i LEFT JOIN accepted a USING (series_id, month) LEFT JOIN chunk c USING (series_id, month)`

// firstDay is the first of a month, as a date.
func firstDay(k key) time.Time {
	return time.Date(k.month.Year(), k.month.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// load copies the readings into a table that only this transaction sees.
func (p *plan) load(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE IF NOT EXISTS datadis_incoming (
		series_id integer, start_s bigint, end_s bigint, period smallint,
		consumption_kwh numeric, surplus_kwh numeric, generation_kwh numeric, self_consumption_kwh numeric,
		max_power_kw numeric, reactive_kvarh numeric, method text, flags text) ON COMMIT DELETE ROWS`)
	if err != nil {
		return err
	}
	var text []byte
	for _, j := range p.jobs {
		if j.accepted {
			text = j.appendCopy(text)
		}
	}
	_, err = tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(text), "COPY pg_temp.datadis_incoming FROM STDIN")
	return err
}

// replace brings the readings of the accepted months to what was loaded. Rows
// that stay as they are, are not written.
func (p *plan) replace(ctx context.Context, tx pgx.Tx) error {
	var ids []int32
	var from, to []time.Time
	for _, j := range p.jobs {
		if j.accepted {
			ids, from, to = append(ids, j.seriesID), append(from, j.key.month.Start()), append(to, j.key.month.End())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `DELETE FROM reading r
		USING unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS m (series_id, from_time, to_time)
		WHERE r.series_id = m.series_id AND r.start_time >= m.from_time AND r.start_time < m.to_time
		AND NOT EXISTS (SELECT FROM pg_temp.datadis_incoming i
			WHERE i.series_id = r.series_id AND to_timestamp(i.start_s) = r.start_time AND i.period = r.period)`, ids, from, to)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, upsert)
	return err
}

const upsert = `INSERT INTO reading AS r (series_id, start_time, end_time, period, consumption_kwh, surplus_kwh,
		generation_kwh, self_consumption_kwh, max_power_kw, reactive_kvarh, method, flags)
	SELECT series_id, to_timestamp(start_s), to_timestamp(end_s), period, consumption_kwh, surplus_kwh,
		generation_kwh, self_consumption_kwh, max_power_kw, reactive_kvarh, method, flags FROM pg_temp.datadis_incoming
	ON CONFLICT (series_id, start_time, period) DO UPDATE SET end_time = excluded.end_time,
		consumption_kwh = excluded.consumption_kwh, surplus_kwh = excluded.surplus_kwh,
		generation_kwh = excluded.generation_kwh, self_consumption_kwh = excluded.self_consumption_kwh,
		max_power_kw = excluded.max_power_kw, reactive_kvarh = excluded.reactive_kvarh,
		method = excluded.method, flags = excluded.flags
	WHERE (r.end_time, r.consumption_kwh, r.surplus_kwh, r.generation_kwh, r.self_consumption_kwh,
			r.max_power_kw, r.reactive_kvarh, r.method, r.flags)
		IS DISTINCT FROM (excluded.end_time, excluded.consumption_kwh, excluded.surplus_kwh, excluded.generation_kwh,
			excluded.self_consumption_kwh, excluded.max_power_kw, excluded.reactive_kvarh, excluded.method, excluded.flags)`
