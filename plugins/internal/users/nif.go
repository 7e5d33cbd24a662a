package users

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// The letters that check a DNI, and those that check an organisation's NIF.
const (
	personLetters       = "TRWAGMYFPDXBNJZSQVHLCKE"
	organisationLetters = "JABCDEFGHI"
)

// nifShape is a person's number (DNI, NIE, K/L/M) or an organisation's.
var nifShape = regexp.MustCompile(`^([0-9]{8}|[XYZKLM][0-9]{7}|[ABCDEFGHJNPQRSUVW][0-9]{7})[0-9A-Z]$`)

// looksLikeNIF tells whether text has the shape of a NIF, in any case of its
// letters. Its control character may be wrong.
func looksLikeNIF(text string) bool { return nifShape.MatchString(strings.ToUpper(text)) }

// validNIF tells whether a NIF has the shape and the control character that it
// should have (datadis-api.md 9.2).
func validNIF(nif sdk.NIF) bool {
	s := string(nif)
	if !nifShape.MatchString(s) {
		return false
	}
	body, control := s[:8], s[8]
	switch body[0] {
	case 'X', 'Y', 'Z': // stand for 0, 1 and 2
		return control == personLetter(string('0'+body[0]-'X')+body[1:])
	case 'K', 'L', 'M':
		return control == personLetter(body[1:])
	}
	if body[0] <= '9' {
		return control == personLetter(body)
	}
	return control == organisationControl(body)
}

func personLetter(digits string) byte {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0 // equals no control character
	}
	return personLetters[n%len(personLetters)]
}

// organisationControl is the check digit, or letter, of a letter and seven
// digits: every other digit, from the first on, is doubled and its own digits
// are added.
func organisationControl(body string) byte {
	sum := 0
	for i := 1; i < len(body); i++ {
		d := int(body[i] - '0')
		if i%2 == 1 {
			d = 2*d/10 + 2*d%10
		}
		sum += d
	}
	c := (10 - sum%10) % 10
	if strings.IndexByte("NPQRSW", body[0]) >= 0 {
		return organisationLetters[c]
	}
	return byte('0' + c)
}

var cupsShape = regexp.MustCompile(`^ES[0-9]{16}[A-Z]{2}([0-9A-Z]{2})?$`)

// validCUPS tells whether a CUPS has its shape and the check letters that its
// digits ask for (datadis-api.md 9.1).
func validCUPS(cups sdk.CUPS) bool {
	key := string(cups.Key())
	if !cupsShape.MatchString(strings.ToUpper(string(cups))) {
		return false
	}
	n, err := strconv.ParseUint(key[2:18], 10, 64)
	if err != nil {
		return false
	}
	r := n % 529
	return key[18] == personLetters[r/23] && key[19] == personLetters[r%23]
}
