package sdk

// Column holds one value per reading as exact decimals of one scale. The zero
// Column has no value for any reading. A value that is missing is not zero.
type Column struct {
	Scale   int32   // digits after the point, the same for all
	Units   []int64 // value i is Units[i] × 10^-Scale; 0 where it is missing
	Missing Bitmap  // bit i is set where reading i has no value
}

// Empty tells whether no reading has a value.
func (c *Column) Empty() bool { return len(c.Units) == 0 }

// Value is the value of reading i, and whether it has one.
func (c *Column) Value(i int) (Decimal, bool) {
	if i >= len(c.Units) || c.Missing.Get(i) {
		return Decimal{}, false
	}
	return Decimal{c.Units[i], c.Scale}, true
}

// Float is the value of reading i as the nearest float64, and whether it has
// one.
func (c *Column) Float(i int) (float64, bool) {
	d, ok := c.Value(i)
	if !ok {
		return 0, false
	}
	return d.Float(), true
}

// Set gives reading i a value; readings before it that have none stay missing.
// It reports whether the value fits the column: the scale grows where needed,
// and a number that would then exceed 18 digits does not fit.
func (c *Column) Set(i int, d Decimal) bool {
	if d.Scale > c.Scale && !c.rescale(d.Scale) {
		return false
	}
	if d.Scale < c.Scale && !d.shift(c.Scale-d.Scale) {
		return false
	}
	for len(c.Units) <= i {
		if len(c.Units) < i {
			c.Missing.Set(len(c.Units))
		}
		c.Units = append(c.Units, 0)
	}
	c.Units[i] = d.Units
	c.Missing.Clear(i)
	return true
}

// Close makes the column n readings long: those without a value are missing. A
// column without any value becomes the zero Column.
func (c *Column) Close(n int) {
	if len(c.Units) == 0 {
		return
	}
	for i := len(c.Units); i < n; i++ {
		c.Units = append(c.Units, 0)
		c.Missing.Set(i)
	}
}

// rescale raises the scale of all values, if they still fit.
func (c *Column) rescale(scale int32) bool {
	for _, u := range c.Units {
		d := Decimal{Units: u}
		if !d.shift(scale - c.Scale) {
			return false
		}
	}
	for i := range c.Units {
		c.Units[i] *= pow10[scale-c.Scale]
	}
	c.Scale = scale
	return true
}

// Bitmap is a set of small numbers, bit i%8 of byte i/8. A nil Bitmap is empty.
type Bitmap []byte

// Get tells whether i is in the set.
func (b Bitmap) Get(i int) bool { return i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0 }

// Set adds i.
func (b *Bitmap) Set(i int) {
	for len(*b) <= i/8 {
		*b = append(*b, 0)
	}
	(*b)[i/8] |= 1 << (i % 8)
}

// Clear removes i.
func (b Bitmap) Clear(i int) {
	if i/8 < len(b) {
		b[i/8] &^= 1 << (i % 8)
	}
}
