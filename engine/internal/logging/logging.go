package logging

import (
	"io"
	"log/slog"
)

// Options of a logger.
type Options struct {
	Level  slog.Leveler // nil: info
	Format Format
	// Clear shows CUPS and NIFs, which are personal data, in full. Secrets
	// stay hidden.
	Clear bool
}

// Format is how lines look.
type Format string

// The formats.
const (
	JSON  Format = "json"
	Text  Format = "text"
	Short Format = "short" // for people at a terminal: the time of day, the message, the attributes
)

// New is a logger that writes to w.
func New(w io.Writer, o Options) *slog.Logger {
	handler := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: replaceMasked}
	if o.Clear {
		handler.ReplaceAttr = nil
	}
	switch o.Format {
	case Short:
		return slog.New(newShort(w, handler))
	case Text:
		return slog.New(slog.NewTextHandler(w, handler))
	default:
		return slog.New(slog.NewJSONHandler(w, handler))
	}
}
