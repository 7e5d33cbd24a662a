package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
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
	handshake *io.PipeReader
	line      *io.PipeWriter
	shaken    sync.Once

	mu      sync.Mutex
	printed []string // before the handshake
	tail    []string // the last lines of stderr
}

func newOutput(log *slog.Logger) *output {
	r, w := io.Pipe()
	return &output{log: log, handshake: r, line: w}
}

// handshakeLine is what the library waits for on stdout.
var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|(unix|tcp)\|[^|]+\|grpc(\||$)`)

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
	if handshakeLine.MatchString(text) {
		first := false
		o.shaken.Do(func() { first = true })
		if first {
			// The reader is gone if the library has given up.
			_, _ = io.WriteString(o.line, text+"\n")
			return
		}
	}
	o.mu.Lock()
	if len(o.printed) < tailSize {
		o.printed = append(o.printed, text)
	}
	o.mu.Unlock()
	o.log.Warn(text, "unstructured", true, "stream", "stdout")
}

// stderr logs a line as what it says it is.
func (o *output) stderr(text string) {
	o.mu.Lock()
	o.tail = append(o.tail, text)
	if len(o.tail) > tailSize {
		o.tail = o.tail[1:]
	}
	o.mu.Unlock()
	level, message, attrs := parseLine(text)
	o.log.LogAttrs(context.Background(), level, message, attrs...) //nolint:contextcheck // a process's output belongs to no call
}

// said is what the process printed where the handshake was expected, and its
// last words, on one line each.
func (o *output) said() (printed, last string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return cut(strings.Join(o.printed, " / ")), cut(lastWords(o.tail))
}

// lastWords are what a process wrote before it ended: of a panic its first
// line, else the last line.
func lastWords(tail []string) string {
	for _, line := range tail {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return line
		}
	}
	if len(tail) == 0 {
		return ""
	}
	_, message, _ := parseLine(tail[len(tail)-1])
	return message
}

func cut(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > quoted {
		return strings.ToValidUTF8(text[:quoted], "") + "…"
	}
	return text
}

// lines calls each for every line; one that is too long is cut. It ends with
// the reader.
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

// The names under which the usual loggers write level, message and time.
var (
	levelKeys   = []string{"level", "@level", "severity", "lvl"}
	messageKeys = []string{"msg", "message", "@message"}
	timeKeys    = []string{"time", "@timestamp", "ts", "timestamp"}
)

// parseLine reads a line of JSON as the usual loggers write it. Anything else
// is text that nobody meant for a log.
func parseLine(text string) (slog.Level, string, []slog.Attr) {
	var fields map[string]any
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &fields) != nil {
		return slog.LevelWarn, text, []slog.Attr{slog.Bool("unstructured", true)}
	}
	level := levelOf(take(fields, levelKeys))
	message := take(fields, messageKeys)
	take(fields, timeKeys)
	attrs := make([]slog.Attr, 0, len(fields))
	for name, value := range fields {
		attrs = append(attrs, slog.Any(name, value))
	}
	return level, message, attrs
}

// take removes the first of the named fields, and returns it as text.
func take(fields map[string]any, names []string) string {
	for _, name := range names {
		if value, ok := fields[name]; ok {
			delete(fields, name)
			return fmt.Sprint(value)
		}
	}
	return ""
}

func levelOf(text string) slog.Level {
	switch strings.ToLower(text) {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error", "fatal", "panic", "critical", "dpanic":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
