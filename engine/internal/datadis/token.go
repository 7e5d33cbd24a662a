package datadis

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// tokenLife is how long a token lives that does not say.
	tokenLife = 24 * time.Hour
	// tokenMargin is how long before its end a token is no longer used, unless
	// it lives so short that a tenth of its life is less.
	tokenMargin = 5 * time.Minute
)

// token is what the login gives. The zero token is none.
type token struct {
	text  string
	until time.Time // not to be used from then on
}

// errToken says that a login answered with something else than a token.
var errToken = errors.New("the login's answer is no token")

// parseToken reads the body of a login that arrived at the given time. Its
// signature is not ours to check.
func parseToken(body []byte, received time.Time) (token, error) {
	text := strings.TrimSpace(string(body))
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	if text == "" || strings.Count(text, ".") != 2 || !isTokenText(text) {
		return token{}, errToken
	}
	life := lifeOf(strings.Split(text, ".")[1], received)
	return token{text: text, until: received.Add(life - min(tokenMargin, life/10))}, nil
}

// isTokenText tells whether the text may stand in a header as a token: no
// page, no JSON, no spaces.
func isTokenText(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-_.+/=~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// lifeOf is how long a token lives by its own claims. It counts from when it
// was issued, so a clock that differs from Datadis's does no harm.
func lifeOf(payload string, received time.Time) time.Duration {
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	if err != nil {
		return tokenLife
	}
	var claims struct {
		Issued  float64 `json:"iat"`
		Expires float64 `json:"exp"`
	}
	if err := json.Unmarshal(decoded, &claims); err != nil || claims.Expires <= 0 {
		return tokenLife
	}
	issued := claims.Issued
	if issued <= 0 || issued >= claims.Expires {
		issued = float64(received.Unix())
	}
	seconds := claims.Expires - issued
	if seconds <= 0 || seconds > (30*tokenLife).Seconds() {
		return tokenLife
	}
	return time.Duration(seconds * float64(time.Second))
}
