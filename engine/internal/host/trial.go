package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// Try starts an instance, lets it take its configuration, asks how it is, and
// stops it. It returns what is wrong; [ConfigError] if that is the
// configuration, [HealthError] if something is missing that it needs.
func (h *Host) Try(ctx context.Context, in Instance) error {
	settings, problems := h.settings(&in)
	if len(problems) > 0 {
		return &ConfigError{in.Name, in.File, problems}
	}
	r := &Running{
		host: h, instance: in, settings: settings, changed: make(chan struct{}), log: slog.New(slog.DiscardHandler),
	}
	p, err := r.first(ctx)
	defer r.private.release()
	if err != nil {
		return err
	}
	defer p.stop(context.WithoutCancel(ctx))
	asked, cancel := context.WithTimeoutCause(ctx, h.config.Timing.SetUp, errNoAnswer)
	defer cancel()
	problem, err := p.client.CheckHealth(asked)
	switch {
	case err != nil:
		return p.explain(err)
	case problem != "":
		return &HealthError{problem}
	}
	return nil
}

// HealthError is what a plugin says that it misses.
type HealthError struct{ Problem string }

// Error implements error.
func (e *HealthError) Error() string { return e.Problem }

// Live asks a plugin what it is, whatever its manifest says. The binary must
// have the given SHA-256; "" takes any.
func (h *Host) Live(ctx context.Context, path, sum string) (*plugin.Description, error) {
	private, err := h.copyOf(path, sum)
	if err != nil {
		return nil, err
	}
	defer private.release()
	return h.askProcess(ctx, private.path)
}

// Delivery is a binary that somebody wants to install.
type Delivery struct {
	Description *plugin.Description
	SHA256      string
	Size        int64
	Platform    string

	private *copied
}

// Path is the file that was looked at: a private copy, whatever becomes of the
// original. It is there until Close.
func (d *Delivery) Path() string { return d.private.path }

// Close lets go of the file.
func (d *Delivery) Close() { d.private.release() }

// Receive looks at a binary that is to be installed, and starts it to ask what
// it is. It refuses what has another SHA-256 than the wanted one, if there is
// one, what cannot run here, and what is not what its file's name says.
func (h *Host) Receive(ctx context.Context, path, sum string) (_ *Delivery, err error) {
	file := filepath.Base(path)
	named := classifyName(file)
	if named == "" {
		return nil, fmt.Errorf("%s is no name of a plugin; call the file %s<name>, with a-z, 0-9, _ and - in the name", file, plugin.FilePrefix)
	}
	platform, err := pin.Platform(path)
	if err != nil {
		return nil, fmt.Errorf("look at the binary: %w", err)
	}
	if !pin.Runs(platform) {
		return nil, fmt.Errorf("%s is for %s, this is %s", file, platform, pin.Here)
	}
	d := &Delivery{Platform: platform}
	if d.private, err = h.copyOf(path, sum); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.SHA256, d.Size, err = pin.Sum(d.private.path); err != nil {
		return nil, err
	}
	if d.Platform == "" {
		d.Platform = pin.Here
	}
	if d.Description, err = h.askProcess(ctx, d.private.path); err != nil {
		return nil, fmt.Errorf("ask %s what it is: %w", file, err)
	}
	if d.Description.Name != named {
		return nil, fmt.Errorf("it calls itself %q, and the file %q; call the file %s%s", d.Description.Name, named, plugin.FilePrefix, d.Description.Name)
	}
	if !Speaks(d.Description.Protocol) {
		return nil, &ProtocolError{d.Description.Protocol}
	}
	return d, nil
}

// errNotPinned is a candidate that the lock file has not.
var errNotPinned = errors.New("the lock file does not have it")

// Verify starts a plugin that was found good and pinned, to compare its
// manifest with what the binary itself says.
func (h *Host) Verify(ctx context.Context, c Candidate) error {
	if c.pinned == "" {
		return errNotPinned
	}
	is, err := h.Live(ctx, c.Path, c.pinned)
	if err != nil {
		return err
	}
	if field := is.Differs(c.Description); field != "" {
		return fmt.Errorf("its manifest says another %s than the binary; write it anew: %s manifest -w", field, c.Path)
	}
	return nil
}
