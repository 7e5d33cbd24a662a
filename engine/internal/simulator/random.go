package simulator

// dice are numbers that depend on nothing but what they are asked for: the
// same question under the same seed has the same answer, in any order and any
// process.
type dice uint64

// newDice are the dice of one thing, named by words, under a seed.
func newDice(seed uint64, words ...string) dice {
	d := dice(seed).mix(0x9e3779b97f4a7c15)
	for _, word := range words {
		d = d.word(word)
	}
	return d
}

// word are the dice of a part named by text (FNV-1a, then mixed).
func (d dice) word(text string) dice {
	h := uint64(d) ^ 0xcbf29ce484222325
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return dice(h).mix(uint64(len(text)))
}

// mix are the dice of a part that is numbered n (the finalizer of SplitMix64).
func (d dice) mix(n uint64) dice {
	z := uint64(d) + 0x9e3779b97f4a7c15*(n+1)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return dice(z ^ (z >> 31))
}

// below is a number from 0 to n-1.
func (d dice) below(n int) int { return int(uint64(d) >> 11 % uint64(n)) }

// share is a number from 0 up to, not including, 1.
func (d dice) share() float64 { return float64(uint64(d)>>11) / (1 << 53) }

// pick is one of the choices.
func pick[T any](d dice, choices []T) T { return choices[d.below(len(choices))] }
