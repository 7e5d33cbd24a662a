package view

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Letter is a dead letter: an item of a queue that could not be done.
type Letter struct {
	Letter   string    `json:"letter"` // a short name, made of the next three
	Run      string    `json:"run"`
	Queue    string    `json:"queue"` // users or devices
	ID       string    `json:"id"`    // login and account; or the CUPS, which is personal
	Sources  []string  `json:"sources"`
	Accounts []string  `json:"accounts,omitempty"`
	Class    string    `json:"class"`
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	// HandedOver is when it was given to the next producer, which has not come
	// yet.
	HandedOver time.Time `json:"handed_over,omitzero"`
	History    []Failure `json:"history,omitempty"`
	Body       string    `json:"body,omitempty"` // as it was queued; personal
}

// Failure is one attempt at an item.
type Failure struct {
	At     time.Time `json:"at"`
	Class  string    `json:"class"`
	Reason string    `json:"reason"`
}

// The queues of which items die.
const (
	Users   = "users"
	Devices = "devices"
)

// Named is the letter with its short name, by which commands take it: the id of
// a supply is personal, and masked in lists.
func (l Letter) Named() Letter {
	sum := sha256.Sum256([]byte(l.Run + "/" + l.Queue + "/" + l.ID))
	l.Letter = hex.EncodeToString(sum[:4])
	return l
}

// Masked is the letter without personal data: mask hides it in a text.
func (l Letter) Masked(mask func(string) string) Letter {
	if l.Queue == Devices {
		l.ID = sdk.CUPS(l.ID).Masked()
	}
	l.Reason = mask(l.Reason)
	l.Body = maskBody(l.Body, mask)
	history := make([]Failure, len(l.History))
	for i, f := range l.History {
		f.Reason = mask(f.Reason)
		history[i] = f
	}
	if len(history) > 0 {
		l.History = history
	}
	return l
}

// maskBody masks what is personal in a JSON body, and leaves out the rows that
// Datadis listed: they hold addresses. A body that is no JSON is left out.
func maskBody(body string, mask func(string) string) string {
	if body == "" {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(body)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return ""
	}
	text, err := json.Marshal(maskValue(value, mask))
	if err != nil {
		return ""
	}
	return string(text)
}

func maskValue(value any, mask func(string) string) any {
	switch v := value.(type) {
	case string:
		return mask(v)
	case []any:
		for i := range v {
			v[i] = maskValue(v[i], mask)
		}
	case map[string]any:
		delete(v, "supply")
		for name := range v {
			inner := mask
			switch name { // whatever they look like
			case "cups":
				inner = func(text string) string { return sdk.CUPS(text).Masked() }
			case "nif":
				inner = func(text string) string { return sdk.NIF(text).Masked() }
			}
			v[name] = maskValue(v[name], inner)
		}
	}
	return value
}

// LetterFilter selects dead letters: those to which all that is not empty
// applies.
type LetterFilter struct {
	Run     string `json:"run,omitempty"`
	Queue   string `json:"queue,omitempty"`
	Letter  string `json:"letter,omitempty"`
	CUPS    string `json:"cups,omitempty"` // in any spelling
	Class   string `json:"class,omitempty"`
	Account string `json:"account,omitempty"` // its id, or the beginning of it
	Source  string `json:"source,omitempty"`
}

// Empty tells whether the filter selects everything.
func (f LetterFilter) Empty() bool { return f == LetterFilter{} }

// Selects tells whether the letter is among those.
func (f LetterFilter) Selects(l Letter) bool {
	switch {
	case f.Run != "" && f.Run != l.Run,
		f.Queue != "" && f.Queue != l.Queue,
		f.Class != "" && f.Class != l.Class,
		f.Source != "" && !slices.Contains(l.Sources, f.Source),
		f.CUPS != "" && (l.Queue != Devices || sdk.CUPS(f.CUPS).Key() != sdk.CUPS(l.ID).Key()),
		f.Letter != "" && f.Letter != l.Letter:
		return false
	}
	return f.Account == "" || slices.ContainsFunc(l.Accounts, func(a string) bool { return strings.HasPrefix(a, f.Account) })
}

// Acted says what became of one dead letter that was to be tried again or
// dropped.
type Acted struct {
	Letter Letter `json:"letter"`
	// Became is retried (it waits in its run), handed_over (the run is over; the
	// next producer takes it), dropped, or failed.
	Became string `json:"became"`
	Reason string `json:"reason,omitempty"` // why it failed
}
