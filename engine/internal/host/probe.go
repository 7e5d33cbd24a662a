package host

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/datadis-engine/datadis/sdk/plugin"
)

// fileKey tells a binary from a later one at the same path.
type fileKey struct {
	path string
	size int64
	time time.Time
}

// probe is what a binary answered.
type probe struct {
	description *plugin.Description
	err         error
}

// ask starts a binary, with an empty environment, to learn what it is. A binary
// that has answered is not asked again while it stays the same.
func (h *Host) ask(ctx context.Context, path string) (*plugin.Description, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	key := fileKey{path, info.Size(), info.ModTime()}
	h.mu.Lock()
	known, ok := h.probed[key]
	h.mu.Unlock()
	if ok {
		return known.description, known.err
	}
	description, err := h.askProcess(ctx, path)
	if ctx.Err() == nil {
		h.mu.Lock()
		h.probed[key] = probe{description, err}
		h.mu.Unlock()
	}
	return description, err
}

func (h *Host) askProcess(ctx context.Context, path string) (*plugin.Description, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.config.Timing.Handshake, errNoAnswer)
	defer cancel()
	p, err := h.startProcess(ctx, processConfig{path: path, log: slog.New(slog.DiscardHandler), limits: h.config.Limits})
	if err != nil {
		return nil, err
	}
	defer p.kill() // nothing is in flight that would have to be drained
	description, err := p.client.Describe(ctx)
	if err != nil {
		return nil, p.explain(err)
	}
	return description, nil
}
