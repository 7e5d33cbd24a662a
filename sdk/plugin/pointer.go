package plugin

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

var pointerUnescapes = strings.NewReplacer("~1", "/", "~0", "~")

// escape is a key as a JSON pointer spells it.
func escape(key string) string { return pointerEscapes.Replace(key) }

var errPointer = errors.New("a secret is given for what the configuration does not have")

// insertAt puts a value where the pointer shows: into an object, or in place of
// an entry of a list.
func insertAt(tree map[string]any, pointer, value string) error {
	if !strings.HasPrefix(pointer, "/") {
		return fmt.Errorf("%w: %q is no JSON pointer", errPointer, pointer)
	}
	steps := strings.Split(pointer[1:], "/")
	var at any = tree
	for i, step := range steps {
		step = pointerUnescapes.Replace(step)
		last := i == len(steps)-1
		switch typed := at.(type) {
		case map[string]any:
			if last {
				typed[step] = value
				return nil
			}
			at = typed[step]
		case []any:
			index, err := strconv.Atoi(step)
			if err != nil || index < 0 || index >= len(typed) {
				return errPointer
			}
			if last {
				typed[index] = value
				return nil
			}
			at = typed[index]
		default:
			return errPointer
		}
	}
	return errPointer
}

// suggestion is ", did you mean …?" for a key that is nearly one of the known,
// else the known keys.
func suggestion(key string, known []string) string {
	nearest, away := "", 3
	for _, name := range known {
		if d := distance(strings.ToLower(key), strings.ToLower(name)); d < away {
			nearest, away = name, d
		}
	}
	if nearest != "" {
		return fmt.Sprintf(`; did you mean %q?`, nearest)
	}
	if len(known) == 0 {
		return ""
	}
	return "; known are " + strings.Join(known, ", ")
}

// distance is how many letters have to be added, dropped or changed
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
