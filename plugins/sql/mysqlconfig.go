package main

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/sdk"
)

const (
	// dialTimeout is how long a server may take to answer.
	dialTimeout = 10 * time.Second
	mysqlPort   = "3306"
)

// mysqlConfig is the address as the driver takes it.
func mysqlConfig(a database.Address, u *url.URL) (*mysql.Config, *sdk.Problem) {
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.DBName = strings.Trim(u.Path, "/")
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), mysqlPort)
	}
	c.Timeout, c.Logger = dialTimeout, &mysql.NopLogger{}
	query := u.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch name {
		case "tls":
		case "socket":
			c.Net, c.Addr = "unix", query.Get(name)
		default:
			return nil, &sdk.Problem{Path: "/url", Message: fmt.Sprintf("the parameter %q is not known here; known are tls and socket", name)}
		}
	}
	var wrong *sdk.Problem
	if c.TLS, wrong = a.TLS(u.Hostname()); wrong != nil {
		return nil, wrong
	}
	return c, setTLS(c, query.Get("tls"), u.Hostname())
}

// setTLS sets what the parameter tls asks for.
func setTLS(c *mysql.Config, mode, host string) *sdk.Problem {
	unchecked := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	switch {
	case c.TLS != nil && (mode == "" || mode == "true"):
	case c.TLS != nil:
		return &sdk.Problem{Path: "/ca_file", Message: "is of no use with that tls in the URL; write tls=true"}
	case mode == "true":
		c.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	case mode == "skip-verify":
		c.TLS = unchecked
	case mode == "" || mode == "preferred": // better than none
		c.TLS, c.AllowFallbackToPlaintext = unchecked, true
	case mode != "false":
		return &sdk.Problem{Path: "/url", Message: "tls is one of true, preferred, skip-verify, false"}
	}
	return nil
}
