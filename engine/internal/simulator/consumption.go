package simulator

import (
	"iter"
	"strconv"
	"time"
)

// consumption answers get-consumption-data.
func (c *call) consumption() answer {
	q, problem := c.parse()
	if problem != "" {
		return c.canned(problem)
	}
	if c.kind == kindEmpty || q.supply == nil {
		return wrapped(c.version, "timeCurve", []byte("[]"), []distributorError{}, OutcomeEmpty)
	}
	if a, down := c.outage(q.supply.company, "timeCurve", "[]"); down {
		return a
	}
	body, rows := c.curve(q)
	outcome := OutcomeOK
	if rows == 0 {
		outcome = OutcomeEmpty
	}
	return wrapped(c.version, "timeCurve", body, []distributorError{}, outcome)
}

// curve is the array of a query's rows, and how many there are.
func (c *call) curve(q query) ([]byte, int) {
	if q.supply.recording != nil {
		return q.supply.recording.body(q)
	}
	step := time.Hour
	if q.quarterHour {
		step = 15 * time.Minute
	}
	readings := c.sim.published(c.now).curve(q.supply, q.from, q.to, step)
	if c.kind == kindDropRows {
		readings = c.thin(readings)
	}
	w := rowWriter{supply: q.supply, body: []byte{'['}}
	for r := range readings {
		w.write(r)
	}
	return append(w.body, ']'), w.rows
}

// thin leaves a share of the rows out, the same ones each time.
func (c *call) thin(readings iter.Seq[reading]) iter.Seq[reading] {
	d := newDice(c.sim.config.Seed, "drop", c.get("cups"))
	return func(yield func(reading) bool) {
		for r := range readings {
			if d.mix(uint64(r.start)).share() < c.fault.keep() && !yield(r) {
				return
			}
		}
	}
}

// rowWriter writes readings as Datadis does.
type rowWriter struct {
	supply *supply
	body   []byte
	rows   int
	date   time.Time // of the row before
	text   string    // the same as it is sent
}

func (w *rowWriter) write(r reading) {
	if w.rows > 0 {
		w.body = append(w.body, ',')
	}
	w.rows++
	if !r.date.Equal(w.date) {
		w.date, w.text = r.date, r.date.Format("2006/01/02")
	}
	b := append(w.body, `{"cups":"`...)
	b = append(append(b, w.supply.CUPS...), `","date":"`...)
	b = append(append(b, w.text...), `","time":"`...)
	b = w.supply.company.appendLabel(b, r.minute)
	b = append(b, `","consumptionKWh":`...)
	b = appendThousandths(b, r.consumption)
	b = append(append(append(b, `,"obtainMethod":"`...), r.method...), '"')
	w.body = append(w.appendLater(b, r), '}')
}

// appendLater writes the fields that came to the API over the years.
func (w *rowWriter) appendLater(b []byte, r reading) []byte {
	fields := w.supply.company.Fields
	if fields == "none" {
		return b
	}
	b = appendThousandths(append(b, `,"surplusEnergyKWh":`...), r.surplus)
	if fields == "surplus" {
		return b
	}
	b = appendThousandths(append(b, `,"generationEnergyKWh":`...), r.generation)
	return appendThousandths(append(b, `,"selfConsumptionEnergyKWh":`...), r.self)
}

// appendThousandths writes n thousandths as Java prints a double: no zeros at
// the end, but one digit after the point at least. Null is written as null.
func appendThousandths(b []byte, n int64) []byte {
	if n == null {
		return append(b, "null"...)
	}
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/1000, 10)
	rest := n % 1000
	b = append(b, '.', byte('0'+rest/100))
	if rest%100 > 0 {
		b = append(b, byte('0'+rest/10%10))
	}
	if rest%10 > 0 {
		b = append(b, byte('0'+rest%10))
	}
	return b
}

// decimal is n thousandths as on the wire, "" for null.
func decimal(n int64) string {
	if n == null {
		return ""
	}
	return string(appendThousandths(nil, n))
}
