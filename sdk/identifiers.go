package sdk

import "strings"

// CUPS identifies a supply point, exactly as Datadis lists it: 20 or 22
// characters (datadis-api.md 9.1). It is sent back and published unchanged.
type CUPS string

// cupsKeyLength is how many characters identify the supply point; what follows
// names a border point of it.
const cupsKeyLength = 20

// Key is what two spellings of one supply point have in common: the first 20
// characters, upper-cased. Compare and index by it, never send it.
func (c CUPS) Key() CUPS {
	s := strings.ToUpper(strings.TrimSpace(string(c)))
	if len(s) > cupsKeyLength {
		s = s[:cupsKeyLength]
	}
	return CUPS(s)
}

// Masked is the form for logs: the distributor's digits and the last four
// characters. CUPS are personal data.
func (c CUPS) Masked() string { return mask(string(c), 6, 4) }

// NIF identifies a person or an organisation before the Spanish tax office. It
// is what people log in to Datadis with.
type NIF string

// Masked is the form for logs: the last three characters.
func (n NIF) Masked() string { return mask(string(n), 0, 3) }

// Distributor is the code of an electricity distributor, "1" to "8" today
// (datadis-api.md 6). It is opaque: new ones may appear.
type Distributor string

// The distributors whose answers differ from the rest.
const (
	EDistribucion Distributor = "2"
	IDE           Distributor = "8"
)

func mask(s string, head, tail int) string {
	if len(s) <= head+tail {
		return strings.Repeat("*", len(s))
	}
	return s[:head] + strings.Repeat("*", len(s)-head-tail) + s[len(s)-tail:]
}
