// Package neo4j is what the plugins of projects that live in Neo4j share: the
// connection, and the Datadis users that lie in its nodes.
package neo4j

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"

	"github.com/datadis-engine/datadis/sdk"
)

// Config is where a Neo4j is and how to get in.
type Config struct {
	URI      string        `json:"uri" doc:"Where Neo4j is. neo4j+s and bolt+s encrypt and check the certificate, neo4j+ssc and bolt+ssc take any certificate, neo4j and bolt do not encrypt." example:"neo4j+s://graph.example.org:7687" required:"true"`
	Username string        `json:"username" doc:"Who logs in to Neo4j. Empty: nobody has to." default:"neo4j"`
	Password sdk.Secret    `json:"password" doc:"Neo4j's password for that user."`
	Database string        `json:"database" doc:"The database. Empty: the user's home database." example:"neo4j"`
	CAFile   string        `json:"ca_file" doc:"Certificates (PEM) that Neo4j's own is checked against, beside the system's. For the schemes with +s." example:"ca.crt"`
	Timeout  time.Duration `json:"timeout" doc:"How long one transaction may take." default:"60s"`
}

// The time-outs that nobody has to change.
const (
	connectTimeout = 10 * time.Second
	acquireTimeout = 30 * time.Second
	retryTime      = 20 * time.Second // of transactions that Neo4j asks to repeat
	defaultTimeout = 60 * time.Second
	fetchSize      = 500
)

var (
	schemes = regexp.MustCompile(`^(neo4j|bolt)(\+s|\+ssc)?$`)
	secure  = regexp.MustCompile(`\+s$`)
)

// Check finds what is wrong with the settings; path is where they stand in the
// configuration.
func (c Config) Check(in sdk.Instance, path string) []sdk.Problem {
	var problems []sdk.Problem
	report := func(key, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path + "/" + key, Message: fmt.Sprintf(format, args...)})
	}
	u, err := url.Parse(c.URI)
	switch {
	case err != nil: // its text would quote the URI, which may hold a password
		report("uri", "is no URI; write it as neo4j+s://host:7687")
	case !schemes.MatchString(u.Scheme):
		report("uri", "has the scheme %q; use neo4j, neo4j+s, neo4j+ssc, bolt, bolt+s or bolt+ssc", u.Scheme)
	case u.Host == "":
		report("uri", "names no host; write it as neo4j+s://host:7687")
	case u.User != nil:
		report("uri", "holds a user name; write it to username and password")
	case c.CAFile != "" && !secure.MatchString(u.Scheme):
		report("ca_file", "is only used with neo4j+s and bolt+s, and uri is %s", u.Scheme)
	}
	if c.CAFile != "" {
		if _, err := c.certificates(in); err != nil {
			report("ca_file", "%s", err)
		}
	}
	if c.Timeout < 0 {
		report("timeout", "is negative")
	}
	return problems
}

// certificates are the system's and those of the file.
func (c Config) certificates(in sdk.Instance) (*x509.CertPool, error) {
	content, err := os.ReadFile(in.Path(c.CAFile))
	if err != nil {
		return nil, fmt.Errorf("reading the certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, errors.New("the file holds no PEM certificate")
	}
	return pool, nil
}

// driver makes the driver. It does not connect yet.
func (c Config) driver(in sdk.Instance) (neo4j.DriverWithContext, error) {
	auth := neo4j.NoAuth()
	if c.Username != "" && !c.Password.Empty() {
		auth = neo4j.BasicAuth(c.Username, c.Password.Reveal(), "")
	}
	var tlsConfig *tls.Config
	if c.CAFile != "" {
		pool, err := c.certificates(in)
		if err != nil {
			return nil, err
		}
		tlsConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	driver, err := neo4j.NewDriverWithContext(c.URI, auth, func(d *config.Config) {
		d.SocketConnectTimeout = connectTimeout
		d.ConnectionAcquisitionTimeout = acquireTimeout
		d.MaxTransactionRetryTime = retryTime
		d.FetchSize = fetchSize
		d.UserAgent = "datadis-engine"
		if tlsConfig != nil {
			d.TlsConfig = tlsConfig
		}
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the connection to Neo4j: %w", err)
	}
	return driver, nil
}
