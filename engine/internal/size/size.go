// Package size reads amounts of memory as people write them: 512MiB, 4GiB.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

var units = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// Parse reads a whole number and its unit. Only "0" needs none.
func Parse(text string) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 62)
		if err != nil || n > math.MaxInt64/uint64(unit.bytes) {
			break
		}
		return int64(n) * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q is no size; write it as 512MiB or 4GiB", text)
}

// Format writes what Parse reads, in the largest unit that is exact.
func Format(bytes int64) string {
	for i := len(units) - 1; i >= 0; i-- {
		if u := units[i]; bytes > 0 && bytes%u.bytes == 0 {
			return strconv.FormatInt(bytes/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(bytes, 10)
}
