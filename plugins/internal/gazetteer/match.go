package gazetteer

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/unicode/norm"
)

// articles that INE writes after the name, and others before it.
var articles = []string{"l", "la", "las", "el", "els", "los", "les", "lo", "es", "sa", "ses", "a", "as", "o", "os", "en", "na"}

var article = regexp.MustCompile(`^(.+), *([^,]{1,4})$`)

// Key is what spellings of a name have in common: no accents, no capitals, no
// punctuation, no article.
func Key(name string) string {
	name = strings.TrimSpace(name)
	if found := article.FindStringSubmatch(name); found != nil { // "Hospitalet de Llobregat, L'"
		name = found[2] + " " + found[1]
	}
	words := strings.FieldsFunc(fold(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for len(words) > 1 && isArticle(words[0]) {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

// fold drops accents and capitals. ñ and ç become n and c: distributors often
// write them so.
func fold(name string) string {
	var out strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(name)) {
		if !unicode.Is(unicode.Mn, r) {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isArticle(word string) bool {
	for _, a := range articles {
		if word == a {
			return true
		}
	}
	return false
}

// Province finds a province by INE's code, else by its name. A code that is not
// known is as good as none.
func (t *Table) Province(code, name string) *Place {
	if p := t.byINE[digits(code, 2)]; p != nil {
		return p
	}
	return t.find("", name)
}

// Municipality finds a municipality of a province by INE's code of three or five
// digits, else by its name within the province. Without a province, a name has
// to be the only one of its kind in Spain, letter by letter.
func (t *Table) Municipality(province *Place, code, name string) *Place {
	switch len(strings.TrimSpace(code)) {
	case 0:
	case 4, 5:
		if p := t.byINE[digits(code, 5)]; p != nil {
			return p
		}
	default:
		if province != nil {
			if p := t.byINE[province.INE+digits(code, 3)]; p != nil {
				return p
			}
		}
	}
	if province != nil {
		return t.find(province.INE, name)
	}
	return t.anywhere(name)
}

// digits puts back the zeros at the start that a code lost on its way.
func digits(code string, n int) string {
	code = strings.TrimSpace(code)
	if code == "" || len(code) >= n {
		return code
	}
	return strings.Repeat("0", n-len(code)) + code
}

// anywhere finds a municipality by a name that only one in Spain has.
func (t *Table) anywhere(name string) *Place {
	key := Key(name)
	var found *Place
	for within, names := range t.byName {
		if within == "" || len(names[key]) == 0 {
			continue
		}
		if found != nil || len(names[key]) > 1 {
			return nil
		}
		found = names[key][0]
	}
	return found
}

// find finds a place by its name: the one whose key is the same, else the one
// that is nearest, if it is near enough and no other is as near.
func (t *Table) find(within, name string) *Place {
	key := Key(name)
	if key == "" {
		return nil
	}
	if same := t.byName[within][key]; len(same) > 0 {
		return only(same)
	}
	var nearest *Place
	best, tie := tolerance(key)+1, false
	for other, places := range t.byName[within] {
		if abs(len(other)-len(key)) > best {
			continue
		}
		switch d := levenshtein.ComputeDistance(key, other); {
		case d < best:
			best, nearest, tie = d, only(places), len(places) > 1
		case d == best && nearest != only(places):
			tie = true
		}
	}
	if tie {
		return nil
	}
	return nearest
}

// only is the place of a list that has just one.
func only(places []*Place) *Place {
	if len(places) != 1 {
		return nil
	}
	return places[0]
}

// tolerance is how many letters may differ: one in six. Short names differ by
// a letter from their neighbours.
func tolerance(key string) int { return len(key) / 6 }

func abs(n int) int { return max(n, -n) }
