// Package loopback finds ports for the servers that tests start.
package loopback

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports that systems hand out to outgoing connections begin at 32768 or above.
// Those below stay free while a server that is to come back is down.
const (
	lowest  = 15000
	highest = 32000
	tries   = 100
)

// Port is a port of 127.0.0.1 that nobody listens on now. Somebody else may take
// it before the caller does.
func Port(t testing.TB) int {
	t.Helper()
	var err error
	for range tries {
		port := lowest + rand.N(highest-lowest)
		var l net.Listener
		if l, err = net.Listen("tcp", Address(port)); err != nil {
			continue
		}
		if err = l.Close(); err == nil {
			return port
		}
	}
	t.Fatalf("looking for a free port: %v", err)
	return 0
}

// Address is a port of 127.0.0.1 as host and port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
