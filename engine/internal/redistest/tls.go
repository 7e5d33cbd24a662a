package redistest

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/loopback"
)

// TLS starts a server that also listens with TLS, and returns the address of
// that with the given parameters. Clients must show a certificate if mutual is
// set.
func TLS(t testing.TB, a certtest.Authority, mutual bool, query url.Values) string {
	t.Helper()
	port := loopback.Port(t)
	clients := "no"
	if mutual {
		clients = "yes"
	}
	Start(t, tlsOptions(a, port, clients)...)
	u := url.URL{Scheme: "rediss", User: url.UserPassword(user, password), Host: loopback.Address(port), RawQuery: query.Encode()}
	return u.String()
}

func tlsOptions(a certtest.Authority, port int, clients string) []string {
	return []string{
		"--tls-port", strconv.Itoa(port), "--tls-auth-clients", clients,
		"--tls-cert-file", a.Cert, "--tls-key-file", a.Key, "--tls-ca-cert-file", a.CA,
	}
}
