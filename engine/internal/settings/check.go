package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The checks of single values. Each error ends a sentence that starts with the
// value.

var (
	errEmpty   = errors.New("is empty")
	topicName  = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	seriesList = []string{"PT1H", "PT15M", "power", "reactive"}
)

func isWebAddress(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("is no address; write it as https://datadis.es")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("has more than scheme, host and path")
	}
	return nil
}

func isTopic(text string) error {
	if !topicName.MatchString(text) || text == "." || text == ".." {
		return errors.New("is no topic name; use up to 249 letters, digits, dots, underscores and dashes")
	}
	return nil
}

func isListenAddress(text string) error {
	if text == "off" {
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("is no address to listen on; write it as 127.0.0.1:8080, :8080 or off")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("has no port between 0 and 65535")
	}
	return nil
}

// leastToken is how long a token must be for nobody to guess it.
const leastToken = 16

func isToken(text string) error {
	if len(text) < leastToken {
		return fmt.Errorf("is shorter than %d characters; `openssl rand -hex 32` makes a good one", leastToken)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("has characters that no header can carry")
	}
	return nil
}

// isWebAddressIfAny is isWebAddress for a setting that may be empty.
func isWebAddressIfAny(text string) error {
	if text == "" {
		return nil
	}
	return isWebAddress(text)
}

func isSeries(items []string) error {
	if len(items) == 0 {
		return errEmpty
	}
	for i, item := range items {
		switch {
		case !slices.Contains(seriesList, item):
			return fmt.Errorf("%q is none of %s%s", item, strings.Join(seriesList, ", "), didYouMean(item, seriesList))
		case slices.Contains(items[:i], item):
			return fmt.Errorf("%q stands there twice", item)
		}
	}
	return nil
}

func noneEmpty(items []string) error {
	if len(items) == 0 || slices.Contains(items, "") {
		return errEmpty
	}
	return nil
}

// check looks for values that are right alone and wrong together.
func (l *loader) check() {
	topics := map[string]string{}
	for _, f := range l.fields {
		if !strings.HasPrefix(f.key, "kafka.") || !strings.HasSuffix(f.key, "topic") {
			continue
		}
		name, _ := f.show().(string)
		if other, taken := topics[name]; taken {
			l.problem(l.settings.origins[f.key], f.key, fmt.Sprintf("%q is also the %s; give each topic its own name", name, other))
			continue
		}
		topics[name] = f.key
	}
}
