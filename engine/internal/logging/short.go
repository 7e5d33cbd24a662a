package logging

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// short writes lines such as
//
//	15:04:05 INFO  run opened  run=9f2c policy=last
//
// It leaves the attributes to slog's text handler, and adds the head itself.
type short struct {
	out   *output
	tail  slog.Handler // writes the attributes to out.tail
	clean func(string) string
}

// output is shared by a handler and all that were made from it.
type output struct {
	mu   sync.Mutex
	w    io.Writer
	tail bytes.Buffer
}

func newShort(w io.Writer, o *slog.HandlerOptions) short {
	out := &output{w: w}
	next := o.ReplaceAttr
	tail := *o
	tail.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		head := a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey
		if head && len(groups) == 0 {
			return slog.Attr{}
		}
		if next != nil {
			return next(groups, a)
		}
		return a
	}
	clean := Mask
	if next == nil {
		clean = func(s string) string { return s }
	}
	return short{out: out, tail: slog.NewTextHandler(&out.tail, &tail), clean: clean}
}

// Enabled implements [slog.Handler].
func (h short) Enabled(ctx context.Context, level slog.Level) bool {
	return h.tail.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h short) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.tail.Reset()
	if err := h.tail.Handle(ctx, r); err != nil {
		return err
	}
	level := r.Level.String()
	line := r.Time.Format("15:04:05") + " " + level + strings.Repeat(" ", max(1, 6-len(level))) + h.clean(r.Message)
	if attributes := bytes.TrimSpace(h.out.tail.Bytes()); len(attributes) > 0 {
		line += "  " + string(attributes)
	}
	_, err := io.WriteString(h.out.w, line+"\n")
	return err
}

// WithAttrs implements [slog.Handler].
func (h short) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.tail = h.tail.WithAttrs(attrs)
	return h
}

// WithGroup implements [slog.Handler].
func (h short) WithGroup(name string) slog.Handler {
	h.tail = h.tail.WithGroup(name)
	return h
}
