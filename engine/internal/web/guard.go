package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// levelOf is what has to be open for a path to be served without a token.
func levelOf(path string) Level {
	switch path {
	case "/livez", "/readyz":
		return Probes
	case "/metrics":
		return Metrics
	default:
		return All
	}
}

// securityHeaders keep a browser from doing anything with the page but show it.
var securityHeaders = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cache-Control":                "no-store",
}

// guard lets through what may be answered.
func guard(next http.Handler, a Access) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range securityHeaders {
			w.Header().Set(name, value)
		}
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed, "everything here is read-only: GET and HEAD alone are answered")
		case a.Loopback && !isLoopbackName(r.Host):
			// A page of somebody else whose name was made to point here.
			refuse(w, http.StatusMisdirectedRequest, "this address answers as localhost or 127.0.0.1 only")
		case a.allows(r):
			next.ServeHTTP(w, r)
		case a.Token.Empty():
			refuse(w, http.StatusForbidden, "this is served on loopback addresses only; to open it, set http.token, or http.open to what needs none")
		default:
			w.Header().Set("WWW-Authenticate", `Basic realm="Datadis engine: any user name, the token as password", charset="UTF-8"`)
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong; send it as Authorization: Bearer, or as the password of any user")
		}
	})
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(why + "\n"))
}

// allows tells whether a request may be answered.
func (a Access) allows(r *http.Request) bool {
	if levelOf(r.URL.Path) <= a.Open {
		return true
	}
	if a.Token.Empty() {
		return a.Loopback
	}
	if _, password, ok := r.BasicAuth(); ok {
		return a.is(password)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && a.is(strings.TrimSpace(token))
}

// is compares in a time that tells nothing about the token.
func (a Access) is(token string) bool {
	want, got := sha256.Sum256([]byte(a.Token.Reveal())), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// IsLoopback tells whether only this machine reaches an address to listen on.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && host != "" && isLoopbackName(host)
}

// isLoopbackName tells whether a host, with or without a port, names this
// machine.
func isLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
