package host

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"github.com/datadis-engine/datadis/engine/internal/pin"
)

// sums remembers the SHA-256 of files that have not changed since, so that a
// list does not read all binaries. It only informs: what is started is read and
// checked every time.
type sums struct {
	mu      sync.Mutex
	path    string // "": nothing is kept
	known   map[string]knownSum
	changed bool
}

type knownSum struct {
	Stamp string `json:"stamp"` // of the file, see stampOf
	Sum   string `json:"sum"`
}

// openSums reads what is known. Nothing is made that is not there: a list that
// somebody asks for must not leave folders behind.
func openSums(stateDir string) *sums {
	s := &sums{known: make(map[string]knownSum)}
	if stateDir == "" {
		return s
	}
	if _, err := os.Stat(stateDir); err != nil {
		return s
	}
	s.path = filepath.Join(stateDir, "sums.json")
	if text, err := os.ReadFile(s.path); err == nil && json.Unmarshal(text, &s.known) != nil {
		s.known = make(map[string]knownSum)
	}
	return s
}

// of is the SHA-256 of a file.
func (s *sums) of(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	stamp := stampOf(info)
	s.mu.Lock()
	known := s.known[path]
	s.mu.Unlock()
	if stamp != "" && known.Stamp == stamp {
		return known.Sum, nil
	}
	sum, _, err := pin.Sum(path)
	if err != nil || stamp == "" {
		return sum, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[path], s.changed = knownSum{stamp, sum}, true
	return sum, nil
}

// save keeps what is known, where it can.
func (s *sums) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed || s.path == "" {
		return
	}
	for path := range s.known {
		if _, err := os.Stat(path); err != nil {
			delete(s.known, path)
		}
	}
	if text, err := json.Marshal(s.known); err == nil {
		_ = pin.Replace(s.path, text, 0o600) // else they are read again next time
	}
}
