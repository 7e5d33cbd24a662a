package redisaccess

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
)

// The parameters of an address that are about TLS.
const (
	caParameter   = "tls_ca"          // certificates that sign the server's; those of the system if left out
	certParameter = "tls_cert"        // certificate to show the server
	keyParameter  = "tls_key"         // and its key
	nameParameter = "tls_server_name" // in the server's certificate; the host's if left out
)

// Files are the parameters that name PEM files.
var Files = []string{caParameter, certParameter, keyParameter}

// takeTLS takes the parameters about TLS out of a query.
func takeTLS(query url.Values, secure bool) (*tls.Config, error) {
	ca, cert, key, name := take(query, caParameter), take(query, certParameter), take(query, keyParameter), take(query, nameParameter)
	if !secure {
		if ca+cert+key+name != "" {
			return nil, errNoTLS
		}
		return nil, nil //nolint:nilnil // no TLS
	}
	// Without a name, that of each host is looked for in its certificate.
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("has %s=%s, which cannot be read: %w", caParameter, ca, bare(err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("has %s=%s, which holds no certificate in PEM", caParameter, ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("has one of %s and %s; give both", certParameter, keyParameter)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("has %s=%s, which is no certificate with the key of %s: %w", certParameter, cert, keyParameter, bare(err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// verified is ours, but verifies nothing if the address says so (skip_verify).
func verified(ours, theirs *tls.Config) *tls.Config {
	if ours != nil && theirs != nil {
		ours.InsecureSkipVerify = theirs.InsecureSkipVerify //nolint:gosec // asked for by name
	}
	return ours
}

// bare is an error without the path that the sentence has already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
