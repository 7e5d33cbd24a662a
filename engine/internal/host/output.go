package host

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

const (
	maxLine  = 64 << 10 // of a plugin's output; what is longer is cut
	tailSize = 40       // lines that a crash report remembers
	quoted   = 200      // bytes of a line in an error
)

// output reads all that a process writes, whatever that is: no amount and no
// form of it may block the process or harm the engine.
type output struct {
	log       *slog.Logger
	redact    *strings.Replacer
	handshake *io.PipeReader
	line      *io.PipeWriter
	shaken    bool // used by the pump of stdout only

	mu      sync.Mutex
	version int      // of the protocol, as the handshake says
	printed []string // before the handshake
	tail    []string // the last lines
	trace   bool     // a stack trace is being written: it goes into the tail only
}

func newOutput(log *slog.Logger, redact *strings.Replacer) *output {
	r, w := io.Pipe()
	return &output{log: log, redact: redact, handshake: r, line: w}
}

// handshakeLine is what the library waits for on stdout.
var handshakeLine = regexp.MustCompile(`^\d+\|(\d+)\|(unix|tcp)\|[^|]+\|grpc(\||$)`)

// pump reads both outputs until they end.
func (o *output) pump(stdout, stderr io.Reader) {
	var both sync.WaitGroup
	both.Go(func() { lines(stdout, o.stdout); o.end() })
	both.Go(func() { lines(stderr, o.stderr) })
	both.Wait()
}

// end tells the library that no handshake will come any more.
func (o *output) end() { _ = o.line.Close() } // it never fails

// stdout passes the handshake on. Everything else is a stray print.
func (o *output) stdout(text string) {
	if parts := handshakeLine.FindStringSubmatch(text); parts != nil && !o.shaken {
		o.shaken = true
		o.mu.Lock()
		o.version, _ = strconv.Atoi(parts[1]) // what is too large stays at the largest
		o.mu.Unlock()
		// The reader is gone if the library has given up.
		_, _ = io.WriteString(o.line, text+"\n")
		return
	}
	text = o.redact.Replace(text)
	if !o.shaken {
		o.mu.Lock()
		if len(o.printed) < tailSize {
			o.printed = append(o.printed, text)
		}
		o.mu.Unlock()
	} else {
		o.remember(text)
	}
	o.warn(text, "stdout")
}

// stray takes a line that the library brought: what is printed while a plugin
// serves.
func (o *output) stray(text, stream string) {
	text = o.redact.Replace(text)
	o.remember(text)
	o.warn(text, stream)
}

// warn logs what nobody meant for a log.
func (o *output) warn(text, stream string) {
	o.log.Warn(strings.ToValidUTF8(text, "?"), "unstructured", true, "stream", stream)
}

// remember keeps a line for a report, and tells whether it is part of a trace.
func (o *output) remember(text string) (trace bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, text)
	// Of a panic the first lines tell, and the runtime says nothing after it.
	if len(o.tail) > tailSize && !o.trace {
		o.tail = o.tail[1:]
	}
	o.tail = o.tail[:min(len(o.tail), 2*tailSize)]
	o.trace = o.trace || startsTrace(text)
	return o.trace
}

// stderr logs a line as what it says it is.
func (o *output) stderr(text string) {
	text = o.redact.Replace(text)
	if o.remember(text) {
		return // it is told once, when the process has ended
	}
	level, message, attrs := parseLine(text, o.redact)
	o.log.LogAttrs(context.Background(), level, message, attrs...) //nolint:contextcheck // a process's output belongs to no call
}

func startsTrace(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

// said is what the process printed where the handshake was expected, and its
// last words, on one line each.
func (o *output) said() (printed, last string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return cut(strings.Join(o.printed, " / ")), cut(o.lastWords())
}

// protocol is the version that the handshake named, if there was one.
func (o *output) protocol() (int, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.version, o.version != 0
}

// last are the last lines of stderr before the trace, if there is one.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := make([]string, 0, shownLines)
	for _, line := range o.tail {
		if startsTrace(line) {
			break
		}
		_, message, _ := parseLine(line, o.redact)
		lines = append(lines, cut(message))
	}
	return lines[max(0, len(lines)-shownLines):]
}

// shownLines is how many of the last lines a report shows.
const shownLines = 10

// stack is the trace that the process ended with, "" if it did not.
func (o *output) stack() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, line := range o.tail {
		if startsTrace(line) {
			return strings.Join(o.tail[i:], "\n")
		}
	}
	return ""
}

// lastWords are what a process wrote before it ended: of a panic its first
// line, else the last line.
func (o *output) lastWords() string {
	for _, line := range o.tail {
		if startsTrace(line) {
			return line
		}
	}
	if len(o.tail) == 0 {
		return ""
	}
	_, message, _ := parseLine(o.tail[len(o.tail)-1], o.redact)
	return message
}

func cut(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > quoted {
		return strings.ToValidUTF8(text[:quoted], "") + "…"
	}
	return text
}

// lines calls each for every line that is not empty; one that is too long is
// cut. It ends with the reader.
func lines(r io.Reader, each func(string)) {
	buffered := bufio.NewReaderSize(r, 4096)
	var line []byte
	for {
		part, err := buffered.ReadSlice('\n')
		if room := maxLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			each(text)
		}
		line = line[:0]
		if err != nil {
			return
		}
	}
}
