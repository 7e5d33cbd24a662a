// Package database is how the shipped plugins are told of a database, how they
// connect to PostgreSQL, and what an error of it means to the engine.
//
// No error of this package holds a password, or a value of a row.
package database

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// Address is the part of a plugin's configuration that says where its database
// is. It is to be embedded.
type Address struct {
	URL      sdk.Secret `json:"url" doc:"Where the database is: scheme://user@host:port/database?parameters. It may hold the password, with special characters percent-encoded." example:"postgres://reader@db.example.org:5432/project?sslmode=verify-full" required:"true"`
	Password sdk.Secret `json:"password" doc:"The password of the URL's user, if the URL does not hold it." example:"{\"file\":\"/run/secrets/database\"}"`
	CAFile   string     `json:"ca_file" doc:"PEM file with the certificates of those who may have signed the server's; TLS is then required. A relative path starts at the folder of this configuration." example:"ca.pem"`
}

// urlPath, passwordPath and caPath are where problems with an address lie.
const (
	urlPath      = "/url"
	passwordPath = "/password"
	caPath       = "/ca_file"
)

// Within is the address with the path of its file made absolute.
func (a Address) Within(in sdk.Instance) Address {
	if a.CAFile != "" {
		a.CAFile = in.Path(a.CAFile)
	}
	return a
}

// Parse reads the URL, with the password put into it. Its scheme must be one of
// those given. The problem quotes nothing of the URL: where it is malformed, any
// part of it may be the password.
func (a Address) Parse(schemes ...string) (*url.URL, *sdk.Problem) {
	u, err := url.Parse(a.URL.Reveal())
	switch {
	case a.URL.Empty():
		return nil, problem(urlPath, "is missing; write %s://user@host/database", schemes[0])
	case err != nil:
		return nil, problem(urlPath, "is no URL; percent-encode special characters of the user and the password, or give the password in /password")
	case !slices.Contains(schemes, u.Scheme):
		return nil, problem(urlPath, "must start with %s://", strings.Join(schemes, ":// or "))
	case strings.Trim(u.Path, "/") == "" || strings.Contains(strings.Trim(u.Path, "/"), "/"):
		return nil, problem(urlPath, "must name the database after the host: %s://user@host/database", schemes[0])
	case u.User.Username() == "":
		return nil, problem(urlPath, "must name the user before the host: %s://user@host/database", schemes[0])
	case u.Fragment != "":
		return nil, problem(urlPath, "has a #; in a user or a password write it as %%23")
	}
	if !a.Password.Empty() {
		if _, twice := u.User.Password(); twice {
			return nil, problem(passwordPath, "is given here and in the URL; leave one of them out")
		}
		u.User = url.UserPassword(u.User.Username(), a.Password.Reveal())
	}
	return u, nil
}

// TLS is the settings of a client that trusts the configured file alone; nil, if
// none is configured.
func (a Address) TLS(host string) (*tls.Config, *sdk.Problem) {
	if a.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, problem(caPath, "reading the certificates: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, problem(caPath, "%s holds no certificate in PEM form", a.CAFile)
	}
	return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}

func problem(path, format string, args ...any) *sdk.Problem {
	return &sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)}
}

// UntrustedServer tells whether a connection failed because the server's
// certificate is not to be trusted, and why.
func UntrustedServer(err error) (string, bool) {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &verification):
		return "the server's certificate is not trusted: " + verification.Err.Error(), true
	case errors.As(err, &record):
		return "the server does not speak TLS", true
	}
	return "", false
}
