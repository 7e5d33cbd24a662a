package simulator

import "fmt"

// letters are the check letters of both CUPS and NIF.
const letters = "TRWAGMYFPDXBNJZSQVHLCKE"

// makeCUPS is the 20 characters of a supply point: the distributor's four
// digits, twelve of the point, and two check letters.
func makeCUPS(company, point int) string {
	digits := fmt.Sprintf("%04d%012d", company, point)
	return "ES" + digits + checkLetters(digits)
}

// checkLetters of sixteen digits: their remainder by 529, written with two of
// 23 letters.
func checkLetters(digits string) string {
	rest := 0
	for _, c := range digits {
		rest = (rest*10 + int(c-'0')) % 529
	}
	return string([]byte{letters[rest/23], letters[rest%23]})
}

// makeDNI is the NIF of a Spanish person.
func makeDNI(number int) string {
	return fmt.Sprintf("%08d%c", number, letters[number%23])
}

// makeNIE is the NIF of a foreign person: X, Y and Z count as 0, 1 and 2.
func makeNIE(prefix, number int) string {
	return fmt.Sprintf("%c%07d%c", "XYZ"[prefix], number, letters[(prefix*10_000_000+number)%23])
}

// makeCIF is the NIF of an organisation. Kinds of public and religious ones
// end in a letter, the others in a digit.
func makeCIF(kind byte, number int) string {
	digits := fmt.Sprintf("%07d", number)
	sum := 0
	for i, c := range digits {
		n := int(c - '0')
		if i%2 == 0 { // the first, third, … digit is doubled
			n *= 2
			n = n/10 + n%10
		}
		sum += n
	}
	control := (10 - sum%10) % 10
	last := byte('0' + control)
	switch kind {
	case 'N', 'P', 'Q', 'R', 'S', 'W':
		last = "JABCDEFGHI"[control]
	}
	return string(kind) + digits + string(last)
}
