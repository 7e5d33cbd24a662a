package users

import (
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// TestControlCharacters computes those of datadis-api.md 9.1 and 9.2.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	for nif, want := range map[sdk.NIF]bool{
		"12345678Z": true, "00000000T": true, "X1234567L": true, "Y1234567X": true, "Z1234567R": true,
		"A58818501": true, "S0811001G": true, "12345678A": false, "A58818502": false, "S08110017": false,
		"X1234567A": false, "K0000001R": true, "1234567": false, "": false, "DE123456789": false,
	} {
		if validNIF(nif) != want {
			t.Errorf("%q: valid is %v", nif, !want)
		}
	}
	for cups, want := range map[sdk.CUPS]bool{
		"ES0031000000000001BJ": true, "ES0031000000000001BJ0F": true, "es0021000000000001rk": true,
		"ES0031000000000001JB": false, "FR0031000000000001BJ": false, "ES0031000000000001BJ0": false,
	} {
		if validCUPS(cups) != want {
			t.Errorf("%q: valid is %v", cups, !want)
		}
	}
}
