package sdk

import (
	"errors"
	"math"
	"strconv"
)

// Decimal is Units × 10^-Scale, exactly: 0.312 is {312, 3}.
type Decimal struct {
	Units int64
	Scale int32 // digits after the point, 0 to MaxScale
}

// MaxScale is the largest scale of a Decimal.
const MaxScale = 18

// ErrDecimal says that a text is no decimal number, or none that fits 18
// digits.
var ErrDecimal = errors.New("not a decimal number of at most 18 digits")

// ParseDecimal reads a JSON number: an optional minus, digits, a fraction, an
// exponent. Zeros at the end of the fraction are dropped.
func ParseDecimal[T ~string | ~[]byte](text T) (Decimal, error) {
	var d Decimal
	i, n := 0, len(text)
	negative := n > 0 && text[0] == '-'
	if negative {
		i++
	}
	digits, dot, zeros := 0, false, int32(0) // zeros: at the end, not yet multiplied in
	for ; i < n; i++ {
		c := text[i]
		switch {
		case c == '.' && !dot && digits > 0:
			dot = true
			continue
		case c < '0' || c > '9':
			if (c == 'e' || c == 'E') && digits > 0 {
				return d.exponent(string(text[i+1:]), zeros, negative)
			}
			return Decimal{}, ErrDecimal
		}
		digits++
		if dot {
			d.Scale++
		}
		if c == '0' {
			zeros++
			continue
		}
		if !d.shift(zeros+1) || d.Units > math.MaxInt64-int64(c-'0') {
			return Decimal{}, ErrDecimal
		}
		d.Units += int64(c - '0')
		zeros = 0
	}
	if digits == 0 || text[n-1] == '.' {
		return Decimal{}, ErrDecimal
	}
	return d.settle(zeros, negative)
}

// exponent finishes a number written with one.
func (d Decimal) exponent(text string, zeros int32, negative bool) (Decimal, error) {
	e, err := strconv.ParseInt(text, 10, 32)
	if err != nil || e < -64 || e > 64 {
		return Decimal{}, ErrDecimal
	}
	d.Scale -= int32(e)
	return d.settle(zeros, negative)
}

// settle drops zeros from the fraction, multiplies the others in, and applies
// the sign.
func (d Decimal) settle(zeros int32, negative bool) (Decimal, error) {
	if d.Units == 0 {
		return Decimal{}, nil
	}
	d.Scale -= zeros
	if d.Scale < 0 {
		if !d.shift(-d.Scale) {
			return Decimal{}, ErrDecimal
		}
		d.Scale = 0
	}
	if d.Scale > MaxScale {
		return Decimal{}, ErrDecimal
	}
	if negative {
		d.Units = -d.Units
	}
	return d, nil
}

// shift multiplies the units by 10^places, if they still fit.
func (d *Decimal) shift(places int32) bool {
	if d.Units == 0 {
		return true
	}
	if places > MaxScale {
		return false
	}
	factor := pow10[places]
	if d.Units > math.MaxInt64/factor || d.Units < math.MinInt64/factor {
		return false
	}
	d.Units *= factor
	return true
}

// Float is the nearest float64.
func (d Decimal) Float() float64 {
	if d.Units > -1<<53 && d.Units < 1<<53 {
		return float64(d.Units) / float64(pow10[d.Scale]) // both exact, one rounding
	}
	f, err := strconv.ParseFloat(d.String(), 64)
	if err != nil {
		return math.NaN() // a Decimal prints as a number; this cannot happen
	}
	return f
}

// String is the shortest text of the number, as JSON writes it: 0.312, -7, 0.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Append appends what String gives.
func (d Decimal) Append(to []byte) []byte {
	units, scale := d.Units, d.Scale
	for scale > 0 && units%10 == 0 {
		units, scale = units/10, scale-1
	}
	if scale <= 0 {
		return strconv.AppendInt(to, units, 10)
	}
	magnitude := uint64(units)
	if units < 0 {
		to = append(to, '-')
		magnitude = -magnitude
	}
	whole, fraction := magnitude/uint64(pow10[scale]), magnitude%uint64(pow10[scale])
	to = strconv.AppendUint(to, whole, 10)
	to = append(to, '.')
	for p := scale - 1; p > 0 && fraction < uint64(pow10[p]); p-- {
		to = append(to, '0')
	}
	return strconv.AppendUint(to, fraction, 10)
}

var pow10 = func() (p [MaxScale + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
