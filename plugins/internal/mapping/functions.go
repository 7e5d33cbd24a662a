package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"
	"golang.org/x/text/unicode/norm"

	"github.com/datadis-engine/datadis/plugins/internal/gazetteer"
)

// input is what functions compute from.
type input struct {
	fields map[string]json.RawMessage // Datadis's own
	values map[string]any             // by name: fields that are plain, and computed values
	places *gazetteer.Table
}

// function computes a value; nil, if there is none.
type function func(in *input) any

// builders make functions of what stands in the file: the argument of the
// function and those beside it.
var builders = map[string]struct {
	options []string // that may stand beside the function
	needs   []string // of them, those that must
	make    func(argument string, options map[string]string) (f function, uses []string, wrong string)
}{
	"join":      {[]string{"with"}, []string{"with"}, makeJoin},
	"first":     {[]string{"of"}, []string{"of"}, makeFirst},
	"slug":      {nil, nil, makeSlug},
	"date":      {[]string{"as"}, nil, makeDate},
	"owner":     {nil, nil, makeOwner},
	"gazetteer": {[]string{"give"}, []string{"give"}, makeGazetteer},
	"either":    {[]string{"or"}, []string{"or"}, makeEither},
}

// makeJoin puts the entries of a list side by side.
func makeJoin(field string, options map[string]string) (function, []string, string) {
	return func(in *input) any {
		var entries []json.RawMessage
		if json.Unmarshal(in.fields[field], &entries) != nil || len(entries) == 0 {
			return nil
		}
		texts := make([]string, len(entries))
		for i, e := range entries {
			texts[i] = strings.Trim(string(e), `"`)
		}
		return strings.Join(texts, options["with"])
	}, []string{field}, ""
}

// makeFirst takes the first characters of a value.
func makeFirst(count string, options map[string]string) (function, []string, string) {
	n := 0
	if err := json.Unmarshal([]byte(count), &n); err != nil || n < 1 {
		return nil, nil, "first: wants a number of characters"
	}
	return func(in *input) any {
		v := in.values[options["of"]]
		if v == nil {
			return nil
		}
		text := []rune(textOf(v))
		return string(text[:min(n, len(text))])
	}, []string{options["of"]}, ""
}

// makeSlug makes a text that fits a URI: small letters, digits and dashes.
func makeSlug(text string, _ map[string]string) (function, []string, string) {
	t := newTemplate(text)
	return func(in *input) any {
		if slug := slug(t.text(in.values)); slug != "" {
			return slug
		}
		return nil
	}, t.names, ""
}

func slug(text string) string {
	var out strings.Builder
	dash := false
	for _, r := range norm.NFD.String(strings.ToLower(text)) {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			if dash && out.Len() > 0 {
				out.WriteByte('-')
			}
			out.WriteRune(r)
			dash = false
		case !unicode.Is(unicode.Mn, r):
			dash = true
		}
	}
	return out.String()
}

// makeDate reads a date as Datadis writes it, with slashes or dashes: local, at
// midnight.
func makeDate(field string, options map[string]string) (function, []string, string) {
	as := options["as"]
	if as != "" && as != "text" {
		return nil, nil, "as: may only be text"
	}
	return func(in *input) any {
		text, _ := in.values[field].(string)
		t, ok := parseDate(text)
		switch {
		case !ok:
			return nil
		case as == "text":
			return t.Format("2006-01-02T15:04:05")
		default:
			return dbtype.LocalDateTime(t)
		}
	}, []string{field}, ""
}

// ParseDate reads a date as Datadis writes it. The time has no zone: it is
// UTC only in name.
func parseDate(text string) (time.Time, bool) {
	for _, layout := range []string{"2006/01/02", time.DateOnly, "2006-01-02 15:04:05.0"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// ownersField is where Datadis says who owned a contract when.
const ownersField = "dateOwner"

// makeOwner gives the start or the end of the last owner's period. Datadis does
// not sort them.
func makeOwner(which string, _ map[string]string) (function, []string, string) {
	if which != "start" && which != "end" {
		return nil, nil, "owner: wants start or end"
	}
	return func(in *input) any {
		start, end, ok := LastOwner(in.fields[ownersField])
		switch t := end; {
		case !ok:
			return nil
		case which == "start":
			return dbtype.LocalDateTime(start)
		case t.IsZero():
			return nil
		default:
			return dbtype.LocalDateTime(t)
		}
	}, []string{ownersField}, ""
}

// LastOwner is the owner's period that starts last of a dateOwner list; its end
// is zero while it lasts. Of two that start together the one that lasts, or
// lasts longer, counts.
func LastOwner(list json.RawMessage) (start, end time.Time, ok bool) {
	var periods []struct {
		Start string `json:"startDate"`
		End   string `json:"endDate"`
	}
	if json.Unmarshal(list, &periods) != nil {
		return time.Time{}, time.Time{}, false
	}
	for _, p := range periods {
		from, known := parseDate(p.Start)
		if !known {
			continue
		}
		to, _ := parseDate(p.End)
		later := from.Equal(start) && (to.IsZero() && !end.IsZero() || !end.IsZero() && to.After(end))
		if !ok || from.After(start) || later {
			start, end, ok = from, to, true
		}
	}
	return start, end, ok
}

// placeFields are those that a place is found by.
var placeFields = []string{"provinceCode", "province", "municipioCode", "municipality"}

// makeGazetteer finds the province or the municipality.
func makeGazetteer(what string, options map[string]string) (function, []string, string) {
	if what != "province" && what != "municipality" {
		return nil, nil, "gazetteer: wants province or municipality"
	}
	give := options["give"]
	if !slices.Contains([]string{"geonames", "ine", "name"}, give) {
		return nil, nil, "give: wants geonames, ine or name"
	}
	return func(in *input) any {
		text := func(name string) string { s, _ := in.values[name].(string); return s }
		place := in.places.Province(text("provinceCode"), text("province"))
		if what == "municipality" {
			place = in.places.Municipality(place, text("municipioCode"), text("municipality"))
		}
		switch {
		case place == nil, give == "geonames" && place.GeoNames == "":
			return nil
		case give == "geonames":
			return place.GeoNames
		case give == "ine":
			return place.INE
		default:
			return place.Names[0]
		}
	}, placeFields, ""
}

// makeEither gives the first of two values that there is.
func makeEither(name string, options map[string]string) (function, []string, string) {
	return func(in *input) any {
		if v := in.values[name]; v != nil {
			return v
		}
		return in.values[options["or"]]
	}, []string{name, options["or"]}, ""
}
