package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// RepeatMode says what makes a query count as asked. The zero value is what is
// thought most likely: a 200 does, even if the client has gone, and both
// versions of a call are the same query.
type RepeatMode struct {
	AnyAnswer        bool // every answer counts, errors too
	ForgetAbandoned  bool // a query whose client has gone does not count
	SeparateVersions bool // v1 and v2 are different queries
	RefreshOnRefusal bool // a refusal begins the 24 hours anew
}

// ParseRepeatMode reads a comma-separated list of any, forget-abandoned,
// separate-versions and refresh.
func ParseRepeatMode(text string) (RepeatMode, error) {
	var mode RepeatMode
	if text == "" {
		return mode, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		switch word {
		case "any":
			mode.AnyAnswer = true
		case "forget-abandoned":
			mode.ForgetAbandoned = true
		case "separate-versions":
			mode.SeparateVersions = true
		case "refresh":
			mode.RefreshOnRefusal = true
		default:
			return mode, fmt.Errorf("%q is none of any, forget-abandoned, separate-versions, refresh", word)
		}
	}
	return mode, nil
}

// rule24 refuses queries that were asked within a window. It writes each down
// before it is answered, so that a killed simulator does not forget.
type rule24 struct {
	window time.Duration // negative: nothing is refused
	mode   RepeatMode

	mu    sync.Mutex
	asked map[string]time.Time // simulated
	file  *os.File             // nil: in memory only
}

// asked is a line of the file.
type askedLine struct {
	At  time.Time `json:"at"`
	Key string    `json:"query"`
}

const askedFile = "queries.jsonl"

func openRule24(dir string, window time.Duration, mode RepeatMode) (*rule24, error) {
	r := &rule24{window: window, mode: mode, asked: make(map[string]time.Time)}
	if dir == "" {
		return r, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of asked queries: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, askedFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open asked queries: %w", err)
	}
	r.file = file
	if err := r.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read asked queries: %w", err), file.Close())
	}
	return r, nil
}

// load reads the file and cuts off a last line that a kill left unfinished.
func (r *rule24) load() error {
	in := bufio.NewReader(r.file)
	var good int64
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var line askedLine
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("byte %d: %w", good, err)
		}
		r.asked[line.Key] = line.At
		good += int64(len(text))
	}
	if err := r.file.Truncate(good); err != nil {
		return err
	}
	_, err := r.file.Seek(good, io.SeekStart)
	return err
}

// refuses tells whether a query was asked within the window before now. What
// was asked at a time that the clock has not reached yet counts too: the clock
// may have been set back.
func (r *rule24) refuses(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.within(key, now) {
		return false
	}
	if r.mode.RefreshOnRefusal {
		r.asked[key] = now // the file keeps the first time: a restart may forgive
	}
	return true
}

func (r *rule24) within(key string, now time.Time) bool {
	at, known := r.asked[key]
	return known && now.Sub(at) < r.window
}

// admit makes a query count as asked now. It is false if that was so already.
func (r *rule24) admit(key string, now time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.within(key, now) {
		return false, nil
	}
	r.asked[key] = now
	if r.file == nil {
		return true, nil
	}
	if _, err := r.file.Write(append(mustJSON(askedLine{now.UTC(), key}), '\n')); err != nil {
		return true, fmt.Errorf("write asked query: %w", err)
	}
	return true, nil
}

func (r *rule24) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	defer func() { r.file = nil }()
	if err := r.file.Close(); err != nil {
		return fmt.Errorf("close asked queries: %w", err)
	}
	return nil
}

// ruleKey names a guarded query: the account and the parameters that count.
// Maximum power and reactive energy share their keys; "" for calls that are
// not guarded.
func (c *call) ruleKey() string {
	if !c.guarded {
		return ""
	}
	key := []string{c.account}
	for _, name := range c.keyParams() {
		key = append(key, c.get(name))
	}
	if c.sim.config.Repeat.SeparateVersions {
		key = append(key, fmt.Sprintf("v%d", c.version))
	}
	return strings.Join(key, "|")
}

func (c *call) keyParams() []string {
	common := []string{"cups", "distributorCode", "startDate", "endDate"}
	if c.name != EndpointConsumption {
		return common
	}
	return slices.Concat(common, []string{"measurementType", "pointType", "authorizedNif"})
}
