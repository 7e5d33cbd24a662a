package host

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
)

// The names under which the usual loggers (slog, hclog, zap, logrus, zerolog)
// write level, message and time.
var (
	levelKeys   = []string{"level", "@level", "severity", "lvl"}
	messageKeys = []string{"msg", "message", "@message"}
	timeKeys    = []string{"time", "@timestamp", "ts", "timestamp"}
	// ownKeys are the host's: a plugin's line must not speak for another.
	ownKeys = []string{"plugin", "instance"}
)

// maxAttrs is how many attributes of a line are kept.
const maxAttrs = 64

// parseLine reads a line of JSON as the usual loggers write it. Anything else
// is text that nobody meant for a log. What is secret is hidden, however JSON
// spelled it.
func parseLine(line string, redact *strings.Replacer) (slog.Level, string, []slog.Attr) {
	var fields map[string]any
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &fields) != nil {
		return unstructured(line)
	}
	fields, _ = redactAll(fields, redact).(map[string]any)
	message, ok := take(fields, messageKeys).(string)
	if !ok {
		return unstructured(line)
	}
	level := levelOf(take(fields, levelKeys))
	take(fields, timeKeys)
	attrs := make([]slog.Attr, 0, len(fields))
	for name, value := range fields {
		if slices.Contains(ownKeys, name) {
			name += "_"
		}
		attrs = append(attrs, slog.Any(name, value))
	}
	slices.SortFunc(attrs, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	return level, message, attrs[:min(len(attrs), maxAttrs)]
}

func unstructured(line string) (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, strings.ToValidUTF8(line, "?"), []slog.Attr{slog.Bool("unstructured", true)}
}

// take removes the first of the named fields, and returns it.
func take(fields map[string]any, names []string) any {
	for _, name := range names {
		if value, ok := fields[name]; ok {
			delete(fields, name)
			return value
		}
	}
	return nil
}

// levelOf knows levels by name, and by the numbers that pino and bunyan write.
func levelOf(value any) slog.Level {
	switch level := value.(type) {
	case float64:
		switch {
		case level >= 50:
			return slog.LevelError
		case level >= 40:
			return slog.LevelWarn
		case level > 0 && level < 30:
			return slog.LevelDebug
		}
	case string:
		var known slog.Level
		if known.UnmarshalText([]byte(level)) == nil {
			return known
		}
		switch strings.ToLower(level) {
		case "trace":
			return slog.LevelDebug
		case "warning":
			return slog.LevelWarn
		case "fatal", "panic", "critical", "dpanic", "err":
			return slog.LevelError
		}
	}
	return slog.LevelInfo
}
