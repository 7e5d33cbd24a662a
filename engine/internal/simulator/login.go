package simulator

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tokens makes and reads tokens. Simulators of one seed know each other's, so
// that a token outlives a restart.
type tokens struct {
	key  []byte
	life time.Duration
}

func newTokens(seed uint64, life time.Duration) tokens {
	key := sha512.Sum512([]byte("token " + strconv.FormatUint(seed, 16)))
	return tokens{key[:], life}
}

// claims are what a token says, with the real one's names.
type claims struct {
	Subject     string            `json:"sub"`
	Authorities []string          `json:"authorities"`
	PublicUser  map[string]string `json:"publicUser"`
	Environment string            `json:"environment"`
	Origin      string            `json:"origin"`
	IssuedAt    int64             `json:"iat"`
	Expires     int64             `json:"exp"`
}

// Errors of tokens.
var (
	errToken   = errors.New("no token of this simulator")
	errExpired = errors.New("the token has expired")
)

// issue makes a token (JWT, HS512).
func (t tokens) issue(username string, now time.Time) string {
	body := mustJSON(claims{
		Subject:     username,
		Authorities: []string{"ROLE_API"},
		PublicUser:  map[string]string{"documentNumber": username, "name": "USUARIO SIMULADO", "language": "es"},
		Environment: "PRO",
		Origin:      "WEB",
		IssuedAt:    now.Unix(),
		Expires:     now.Add(t.life).Unix(),
	})
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS512"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(t.sign(text))
}

// read is the username that a token was issued to.
func (t tokens) read(token string, now time.Time) (string, error) {
	last := strings.LastIndexByte(token, '.')
	if last < 0 {
		return "", errToken
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[last+1:])
	if err != nil || !hmac.Equal(signature, t.sign(token[:last])) {
		return "", errToken
	}
	_, body, _ := strings.Cut(token[:last], ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return "", errToken
	}
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return "", errToken
	}
	if now.Unix() >= c.Expires {
		return "", errExpired
	}
	return c.Subject, nil
}

func (t tokens) sign(text string) []byte {
	mac := hmac.New(sha512.New, t.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// logIn answers a login. Credentials in the query string are as good as a
// form's.
func (c *call) logIn() answer {
	username, ok := c.sim.world.login(c.get("username"), c.get("password"))
	if !ok {
		return c.canned(badCredentials)
	}
	issued := c.now
	if c.kind == kindExpiredToken {
		issued = issued.Add(-c.sim.tokens.life - time.Hour)
	}
	token := c.sim.tokens.issue(username, issued)
	switch c.kind {
	case kindQuotedToken:
		token = strconv.Quote(token)
	case kindSpacedToken:
		token = "\r\n  " + token + " \n"
	}
	return answer{status: http.StatusOK, contentType: utf8Text, body: []byte(token), outcome: OutcomeOK}
}

// mustJSON encodes a value of this package that cannot fail to encode, without
// escaping what HTML would need escaped.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only structs and slices of texts and numbers come here
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
