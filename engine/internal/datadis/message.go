package datadis

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxMessage is how many bytes of an error's body are kept.
const maxMessage = 200

// message is what the body of an error says, for people: on one line, short,
// and without anything that identifies somebody. Bodies may echo parameters.
func message(body []byte, hide []string) string {
	if len(body) > 64<<10 {
		body = body[:64<<10]
	}
	text := string(toUTF8(body))
	switch {
	case isHTML(body):
		text = pageTitle(text)
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		text = springMessage(text)
	}
	for _, secret := range hide {
		if len(secret) >= 3 { // shorter ones would tear words apart
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = identifiers.ReplaceAllString(text, "***")
	text = strings.Join(strings.FieldsFunc(text, between), " ")
	return shorten(text, maxMessage)
}

// between tells whether a character stands between words: space, and what cannot
// be printed, which would garble a log or a terminal.
func between(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// identifiers are CUPS, NIFs of all sorts, and tokens.
var identifiers = regexp.MustCompile(`(?i)\bES\d{16}[A-Z]{0,2}(\d[A-Z])?|\b([XYZKLM]?\d{7,8}[A-Z]|[A-W]\d{7}[0-9A-J])\b|\beyJ[\w-]+(\.[\w-]*)*`)

var titleTag = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// pageTitle is what stands in a web page's title.
func pageTitle(page string) string {
	if match := titleTag.FindStringSubmatch(page); match != nil {
		return "a web page, " + strings.TrimSpace(match[1])
	}
	return "a web page"
}

// springMessage is the message of an error in JSON, or the whole text if it has
// none.
func springMessage(text string) string {
	var spring struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	err := json.Unmarshal([]byte(text), &spring, jsontext.AllowDuplicateNames(true))
	switch {
	case err != nil:
		return text
	case spring.Message != "" && spring.Message != "No message available":
		return spring.Message
	case spring.Error != "":
		return spring.Error
	default:
		return text
	}
}

// shorten cuts a text between characters.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
