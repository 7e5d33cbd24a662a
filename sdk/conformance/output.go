package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
)

const (
	maxLine  = 64 << 10 // what the engine takes of a line
	maxKept  = 1 << 20  // bytes of a stream that are remembered to look for secrets
	floodAt  = 4 << 20
	tailSize = 20
)

// output reads all that a process writes, and remembers what matters of it.
type output struct {
	handshake chan string // the first line of stdout that may be one; closed at its end

	mu        sync.Mutex
	before    []string // printed before the handshake
	chatter   string   // the first line after it
	malformed string
	panicked  string
	tail      []string
	text      strings.Builder // both streams, up to maxKept
	bytes     int             // of stderr
	shaken    bool
}

func newOutput() *output { return &output{handshake: make(chan string, 1)} }

func (o *output) pump(stdout, stderr io.Reader) {
	var both sync.WaitGroup
	both.Go(func() {
		lines(stdout, o.stdout)
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.shaken {
			o.shaken = true
			close(o.handshake)
		}
	})
	both.Go(func() { lines(stderr, o.stderr) })
	both.Wait()
}

func (o *output) stdout(line string, _ int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(line)
	switch {
	case o.shaken:
		o.chat(line)
	case strings.Count(line, "|") >= 4:
		o.shaken = true
		o.handshake <- line
		close(o.handshake)
	case len(o.before) < tailSize:
		o.before = append(o.before, line)
	}
}

// chat notes what was printed after the handshake. The lock is held.
func (o *output) chat(line string) {
	if o.chatter == "" {
		o.chatter = cut(line)
	}
}

// stray is what came over the library's own stream of prints.
func (o *output) stray(text string, stdout bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(text)
	if stdout {
		o.chat(text)
	} else {
		o.bytes += len(text)
	}
}

func (o *output) stderr(line string, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(line)
	o.bytes += size
	if o.tail = append(o.tail, line); len(o.tail) > tailSize {
		o.tail = o.tail[1:]
	}
	if o.panicked == "" && (strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "Traceback ")) {
		o.panicked = cut(line)
	}
	if o.malformed == "" && strings.HasPrefix(line, "{") && malformed(line) {
		o.malformed = cut(line)
	}
}

func (o *output) keep(line string) {
	if o.text.Len() < maxKept {
		o.text.WriteString(line)
		o.text.WriteByte('\n')
	}
}

// malformed tells whether a JSON line has something other than text, or for
// level and time a number, where loggers write message, level and time.
func malformed(line string) bool {
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return false // text that happens to begin so
	}
	for _, names := range [][]string{{"msg", "message", "@message"}, {"@level", "@timestamp"}} {
		for _, name := range names {
			if value, ok := fields[name]; ok {
				if _, isText := value.(string); !isText {
					return true
				}
			}
		}
	}
	return false
}

// lastWords is what the process wrote to stderr at the end.
func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Go tells what went wrong first, Python last.
	if strings.HasPrefix(o.panicked, "panic: ") {
		return o.panicked
	}
	if len(o.tail) == 0 {
		return ""
	}
	return cut(o.tail[len(o.tail)-1])
}

func cut(text string) string {
	const quoted = 160
	text = strings.ToValidUTF8(text, "?")
	if len(text) > quoted {
		return strings.ToValidUTF8(text[:quoted], "") + "…"
	}
	return text
}

// lines calls each for every line, cut to maxLine, with its true size. It ends
// with the reader.
func lines(r io.Reader, each func(line string, size int)) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	size := 0
	for {
		part, err := buffered.ReadSlice('\n')
		size += len(part)
		if room := maxLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			each(text, size)
		}
		line, size = line[:0], 0
		if err != nil {
			return
		}
	}
}
