package datadis

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// logging writes a line per request at debug level: what was asked, how it
// ended, how long it took. Identifiers are masked, credentials never there.
type logging struct {
	next http.RoundTripper
	log  *slog.Logger
}

// RoundTrip implements [http.RoundTripper].
func (l logging) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if !l.log.Enabled(ctx, slog.LevelDebug) {
		return l.next.RoundTrip(req)
	}
	start := time.Now()
	res, err := l.next.RoundTrip(req)
	attrs := []slog.Attr{
		slog.String("path", req.URL.Path),
		slog.Duration("took", time.Since(start)),
	}
	query := req.URL.Query()
	if cups := query.Get("cups"); cups != "" {
		attrs = append(attrs, slog.String("cups", sdk.CUPS(cups).Masked()))
	}
	for _, name := range []string{"distributorCode", "startDate", "endDate", "measurementType"} {
		if value := query.Get(name); value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	} else {
		attrs = append(attrs, slog.Int("status", res.StatusCode))
	}
	l.log.LogAttrs(ctx, slog.LevelDebug, "datadis answered", attrs...)
	return res, err
}
