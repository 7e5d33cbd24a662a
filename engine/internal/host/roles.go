package host

import (
	"context"
	"errors"
	"fmt"

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

// call calls the plugin's process, if there is one now. A failure of a process
// that ended is the plugin's, whatever the connection makes of it.
func (r *Running) call(ctx context.Context, do func(*plugin.Client) error) error {
	r.mu.Lock()
	p, down := r.process, r.down
	r.mu.Unlock()
	if p == nil {
		return &sdk.Error{Kind: sdk.Unavailable, Origin: sdk.FromDownstream, Reason: "plugin_down",
			Err: fmt.Errorf("plugin %s is down: %s", r.instance.Name, down)}
	}
	err := do(p.client)
	if err == nil || ctx.Err() != nil {
		return err
	}
	select {
	case <-p.child.exited:
	default:
		var known *sdk.Error
		if errors.As(err, &known) && known.Reason != "" || !errors.As(err, &known) || known.Kind != sdk.Unavailable {
			return err // the plugin itself answered
		}
	}
	return r.crashed(p, err)
}

// crashed is the error of a call during which the process ended.
func (r *Running) crashed(p *process, err error) error {
	explained := p.explain(err)
	select {
	case <-p.child.exited:
		return &sdk.Error{Kind: sdk.Unavailable, Origin: sdk.FromPlugin, Reason: "plugin_crashed", Err: explained}
	default:
		return err
	}
}

// ListGrants implements [sdk.Source].
func (r *Running) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	return r.call(ctx, func(c *plugin.Client) error { return c.ListGrants(ctx, send) })
}

// BeginRun implements [sdk.RunBeginner].
func (r *Running) BeginRun(ctx context.Context, run sdk.Run) error {
	return r.call(ctx, func(c *plugin.Client) error { return c.BeginRun(ctx, run) })
}

// HarmonizeSupplies implements [sdk.SupplyHarmonizer].
func (r *Running) HarmonizeSupplies(ctx context.Context, batch sdk.Batch[sdk.Supply]) (result sdk.Result, err error) {
	err = r.call(ctx, func(c *plugin.Client) error {
		result, err = c.HarmonizeSupplies(ctx, batch)
		return err
	})
	return result, err
}

// HarmonizeTimeSeries implements [sdk.Harmonizer].
func (r *Running) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (result sdk.Result, err error) {
	err = r.call(ctx, func(c *plugin.Client) error {
		result, err = c.HarmonizeTimeSeries(ctx, batch)
		return err
	})
	return result, err
}

// EndRun implements [sdk.RunEnder].
func (r *Running) EndRun(ctx context.Context, end sdk.RunEnd) (result sdk.Result, err error) {
	err = r.call(ctx, func(c *plugin.Client) error {
		result, err = c.EndRun(ctx, end)
		return err
	})
	return result, err
}
