package main

import (
	"crypto/sha256"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"
)

// server is a Redis or a Kafka that can be taken down.
type server interface {
	Kill()
	Stop()
	Restart()
}

// outages are when the servers were down.
type outages struct {
	servers map[string]server
	log     map[string][]outage // by server
}

// down tells whether a server is down now.
func (o *outages) down(name string) bool {
	log := o.log[name]
	return len(log) > 0 && log[len(log)-1].until.IsZero()
}

// take does something to a server.
func (o *outages) take(name, action string) {
	s := o.servers[name]
	switch down := o.down(name); {
	case down && action == startIt:
		s.Restart()
		o.log[name][len(o.log[name])-1].until = time.Now()
	case down || action == startIt: // it is as it should be
	case action == killIt:
		o.log[name] = append(o.log[name], outage{from: time.Now()})
		s.Kill()
	default:
		o.log[name] = append(o.log[name], outage{from: time.Now()})
		s.Stop()
	}
}

// overlap tells whether a server was down in an interval.
func (o *outages) overlap(from, until time.Time) bool {
	for _, log := range o.log {
		for _, down := range log {
			if down.overlaps(from, until) {
				return true
			}
		}
	}
	return false
}

// clientPath begins the paths by which the processes of a chaos reach Datadis;
// their names follow, so that the simulator's log can tell who asked.
const clientPath = "/as/"

// bodies remembers what the simulator served.
type bodies struct {
	mu     sync.Mutex
	served map[[sha256.Size]byte]bool
}

// wrap names the client of each call, and keeps a hash of each answer.
func (b *bodies) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, clientPath)
		client, path, found := strings.Cut(rest, "/")
		if !ok || !found {
			http.NotFound(w, r)
			return
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.RemoteAddr = "/"+path, client
		sum := sha256.New()
		defer func() { // also when the simulator cuts the connection
			b.mu.Lock()
			defer b.mu.Unlock()
			b.served[[sha256.Size]byte(sum.Sum(nil))] = true
		}()
		next.ServeHTTP(&tee{w, sum}, inner)
	})
}

// has tells whether the simulator served a body.
func (b *bodies) has(body []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.served[sha256.Sum256(body)]
}

// tee hashes what is written.
type tee struct {
	http.ResponseWriter
	sum hash.Hash
}

// Write implements [io.Writer].
func (t *tee) Write(p []byte) (int, error) {
	_, _ = t.sum.Write(p) // a hash does not fail
	return t.ResponseWriter.Write(p)
}

// Unwrap lets an [http.ResponseController] through.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }
