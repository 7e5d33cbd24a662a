package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/size"
	"github.com/datadis-engine/datadis/sdk"
)

// How settings of each kind are read and shown.

// textOf is what a textual field was given.
func textOf(n *node, wanted string) (string, error) {
	if n.kind != '"' {
		return "", fmt.Errorf("%s stands here, %s is expected", n.what(), wanted)
	}
	return n.text, nil
}

func text(p *string, key, initial, meaning string, checks ...func(string) error) field {
	f := field{key: key, kind: textKind, initial: initial, meaning: meaning}
	f.read = func(n *node) error {
		got, err := textOf(n, "a text")
		if err != nil {
			return err
		}
		for _, check := range checks {
			if err := check(got); err != nil {
				return fmt.Errorf("%s %w", n.shown(), err)
			}
		}
		*p = got
		return nil
	}
	f.show = func() any { return *p }
	return f
}

// secret is a text that is never shown; what a check says of it does not either.
func secret(p *sdk.Secret, key, meaning string, check func(string) error) field {
	f := field{key: key, kind: secretKind, meaning: meaning}
	f.read = func(n *node) error {
		got, err := textOf(n, "a text")
		if err != nil {
			return err
		}
		if err := check(got); err != nil {
			return err
		}
		*p = sdk.NewSecret(got)
		return nil
	}
	f.show = func() any {
		if p.Empty() {
			return nil
		}
		return masked
	}
	return f
}

func path(p *string, key, initial, meaning string) field {
	f := text(p, key, initial, meaning, notEmpty)
	f.kind, f.anchor = pathKind, anchor
	return f
}

func choice(p *string, key, initial, meaning string, options ...string) field {
	f := text(p, key, initial, meaning, func(got string) error {
		if slices.Contains(options, got) {
			return nil
		}
		return fmt.Errorf("is none of %s%s", strings.Join(options, ", "), didYouMean(got, options))
	})
	f.kind, f.limits = choiceKind, map[string]any{"enum": options}
	return f
}

func duration(p *time.Duration, key string, initial, least time.Duration, meaning string) field {
	const example = "write it as 30s, 5m or 24h"
	f := field{key: key, kind: durationKind, initial: shortDuration(initial), meaning: meaning}
	f.read = func(n *node) error {
		got, err := textOf(n, "a duration such as 30s")
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(got)
		switch {
		case err != nil:
			return fmt.Errorf("%s is no duration; %s", n.shown(), example)
		case d < least && least == 1:
			return fmt.Errorf("%s is not positive", n.shown())
		case d < least:
			return fmt.Errorf("%s is too short; at least %s", n.shown(), shortDuration(least))
		}
		*p = d
		return nil
	}
	f.show = func() any { return shortDuration(*p) }
	return f
}

// positive is the least duration of settings that must be more than nothing.
const positive = time.Duration(1)

// shortDuration writes 180s and 24h, not 3m0s and 24h0m0s.
func shortDuration(d time.Duration) string {
	if d < 10*time.Minute && d%time.Second == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// memory is an amount in bytes; 0 by default.
func memory(p *int64, key, meaning string) field {
	f := field{key: key, kind: sizeKind, initial: "0", meaning: meaning}
	f.read = func(n *node) error {
		if n.kind == '0' && n.text == "0" {
			*p = 0
			return nil
		}
		got, err := textOf(n, "a size such as 512MiB")
		if err != nil {
			return err
		}
		*p, err = size.Parse(got)
		return err
	}
	f.show = func() any { return size.Format(*p) }
	return f
}

func instant(p *time.Time, key, meaning string) field {
	f := field{key: key, kind: instantKind, meaning: meaning}
	f.read = func(n *node) error {
		got, err := textOf(n, "an instant such as 2026-03-01T06:00:00Z")
		if err != nil {
			return err
		}
		t, err := time.Parse(time.RFC3339, got)
		if err != nil {
			return fmt.Errorf("%s is no instant; write it as 2026-03-01T06:00:00Z", n.shown())
		}
		*p = t
		return nil
	}
	f.show = func() any {
		if p.IsZero() {
			return nil
		}
		return p.Format(time.RFC3339)
	}
	return f
}

func boolean(p *bool, key string, initial bool, meaning string) field {
	f := field{key: key, kind: booleanKind, initial: strconv.FormatBool(initial), meaning: meaning}
	f.read = func(n *node) error {
		if n.kind != 't' && n.kind != 'f' && !n.plain {
			return fmt.Errorf("%s stands here, true or false is expected", n.what())
		}
		switch n.text {
		case "true":
			*p = true
		case "false":
			*p = false
		default:
			return fmt.Errorf("%s is neither true nor false", n.shown())
		}
		return nil
	}
	f.show = func() any { return *p }
	return f
}

func integer(p *int, key string, initial, least, most int, meaning string) field {
	var got float64
	f := number(&got, key, float64(initial), float64(least), float64(most), meaning)
	f.kind = integerKind
	readNumber := f.read
	f.read = func(n *node) error {
		if err := readNumber(n); err != nil {
			return err
		}
		if got != float64(int(got)) {
			return fmt.Errorf("%s is not a whole number", n.shown())
		}
		*p = int(got)
		return nil
	}
	f.show = func() any { return *p }
	return f
}

func number(p *float64, key string, initial, least, most float64, meaning string) field {
	f := field{key: key, kind: numberKind, meaning: meaning}
	f.initial = strconv.FormatFloat(initial, 'f', -1, 64)
	f.limits = map[string]any{"minimum": least, "maximum": most}
	f.read = func(n *node) error {
		if n.kind != '0' && !n.plain {
			return fmt.Errorf("%s stands here, a number is expected", n.what())
		}
		got, err := strconv.ParseFloat(n.text, 64)
		switch {
		case err != nil:
			return fmt.Errorf("%s is no number", n.shown())
		case !(got >= least): // also what is not a number
			return fmt.Errorf("%s is too small; at least %v", n.shown(), least)
		case got > most:
			return fmt.Errorf("%s is too large; at most %v", n.shown(), most)
		}
		*p = got
		return nil
	}
	f.show = func() any { return *p }
	return f
}

// list reads a list of texts; a bare one is split at commas.
func list(p *[]string, key, initial, meaning string, check func([]string) error) field {
	f := field{key: key, kind: listKind, initial: initial, meaning: meaning}
	f.limits = map[string]any{"items": map[string]any{"$ref": "#/$defs/text"}, "minItems": 1}
	f.read = func(n *node) error {
		items, err := listOf(n)
		if err != nil {
			return err
		}
		if err := check(items); err != nil {
			return err
		}
		*p = items
		return nil
	}
	f.show = func() any { return *p }
	return f
}

func listOf(n *node) ([]string, error) {
	if n.plain {
		items := strings.Split(n.text, ",")
		for i := range items {
			items[i] = strings.TrimSpace(items[i])
		}
		return items, nil
	}
	if n.kind != '[' {
		return nil, fmt.Errorf("%s stands here, a list is expected", n.what())
	}
	items := make([]string, 0, len(n.items))
	for i, item := range n.items {
		got, err := textOf(item, "a text")
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		items = append(items, got)
	}
	return items, nil
}

func notEmpty(text string) error {
	if strings.TrimSpace(text) == "" {
		return errEmpty
	}
	return nil
}
