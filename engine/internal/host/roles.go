package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

var (
	_ sdk.Source           = (*Running)(nil)
	_ sdk.Harmonizer       = (*Running)(nil)
	_ sdk.SupplyHarmonizer = (*Running)(nil)
	_ sdk.RunBeginner      = (*Running)(nil)
	_ sdk.RunEnder         = (*Running)(nil)
)

// call calls the plugin's process. While it is being restarted, it waits for
// that, for a while. A failure of a process that ended is the plugin's,
// whatever the connection makes of it.
func (r *Running) call(ctx context.Context, do func(*process) error) error {
	p, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer p.calls.Done()
	err = do(p)
	if err == nil {
		p.worked.Store(true)
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	var known *sdk.Error
	if errors.As(err, &known) && known.Kind == sdk.Unavailable && known.Reason == "" {
		return r.crashed(p, err) // or the plugin itself said so
	}
	return err
}

// work is a call that has to end some time: a process that does not get it done
// hangs, and is replaced.
func (r *Running) work(ctx context.Context, do func(*plugin.Client) error) error {
	limit := r.host.config.Timing.Call
	return r.call(ctx, func(p *process) error {
		timer := time.AfterFunc(limit, func() { p.child.condemn(fmt.Sprintf("it did not finish a call in %s", limit)) })
		defer timer.Stop()
		return do(p.client)
	})
}

// take takes the process for a call; its calls are to be told when that is done.
func (r *Running) take(ctx context.Context) (*process, error) {
	patience := time.NewTimer(r.host.config.Timing.Await)
	defer patience.Stop()
	for {
		r.mu.Lock()
		p, final, changed := r.process, r.next.IsZero(), r.changed
		if p != nil {
			p.calls.Add(1)
		}
		r.mu.Unlock()
		if p != nil {
			return p, nil
		}
		if final {
			return nil, r.isDown()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-patience.C:
			return nil, r.isDown()
		case <-changed:
		}
	}
}

// isDown is the error of a call while there is no process: to be repeated when
// there will be another, to be mended when not.
func (r *Running) isDown() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &sdk.Error{Kind: sdk.Unavailable, Origin: sdk.FromDownstream, Reason: "plugin_down",
		Err: fmt.Errorf("plugin %s is down: %s", r.instance.Name, r.down)}
	if r.next.IsZero() {
		e.Kind, e.Reason = sdk.Precondition, "plugin_stopped"
		return e
	}
	e.After = max(time.Until(r.next), minPause)
	return e
}

// minPause is when to ask again while a start is under way.
const minPause = 100 * time.Millisecond

// crashed is the error of a call during which the process ended.
func (r *Running) crashed(p *process, err error) error {
	if !p.over() {
		return err
	}
	f := p.fell(err)
	r.retire(p, f)
	return newFallError(f)
}

// ListGrants implements [sdk.Source].
func (r *Running) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	return r.call(ctx, func(p *process) error { return p.client.ListGrants(ctx, send) })
}

// BeginRun implements [sdk.RunBeginner].
func (r *Running) BeginRun(ctx context.Context, run sdk.Run) error {
	return r.work(ctx, func(c *plugin.Client) error { return c.BeginRun(ctx, run) })
}

// HarmonizeSupplies implements [sdk.SupplyHarmonizer].
func (r *Running) HarmonizeSupplies(ctx context.Context, batch sdk.Batch[sdk.Supply]) (result sdk.Result, err error) {
	err = r.work(ctx, func(c *plugin.Client) error {
		result, err = c.HarmonizeSupplies(ctx, batch)
		return err
	})
	return result, err
}

// HarmonizeTimeSeries implements [sdk.Harmonizer].
func (r *Running) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (result sdk.Result, err error) {
	err = r.work(ctx, func(c *plugin.Client) error {
		result, err = c.HarmonizeTimeSeries(ctx, batch)
		return err
	})
	return result, err
}

// EndRun implements [sdk.RunEnder].
func (r *Running) EndRun(ctx context.Context, end sdk.RunEnd) (result sdk.Result, err error) {
	err = r.work(ctx, func(c *plugin.Client) error {
		result, err = c.EndRun(ctx, end)
		return err
	})
	return result, err
}
