package conformance

import (
	"context"
	"slices"
	"syscall"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/fixture"
)

var exitTrials = []trial{
	{"process.drain", drains},
}

// drains stops a plugin as the engine does, once it has worked: it may take no
// more, has to end, and nothing that it started may be left.
func drains(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	if err := s.work(ctx); err != nil {
		if _, no := refused(err); !no {
			return err
		}
	}
	left := descendants(s.pid)
	if err := s.mustDrain(ctx); err != nil {
		return err
	}
	_ = s.stdin.Close()
	if !s.awaitExit(c.timing.Exit) {
		if c.report.Found("stdin.ignored") {
			return nil // said already
		}
		return finding("drain.stays", "it was there %v later", c.timing.Exit)
	}
	for _, pid := range left {
		if alive(pid) {
			c.find("process.child-left", "process %d", pid)
			signalOne(pid, syscall.SIGKILL)
		}
	}
	if groupAlive(s.pid) {
		c.find("process.child-left", "somebody in its process group")
	}
	return nil
}

// mustDrain drains the plugin, and tries whether it takes work after it.
func (s *stage) mustDrain(ctx context.Context) error {
	err := s.call(ctx, "Drain", func(ctx context.Context) error {
		_, err := s.Drain(ctx, &pb.DrainRequest{})
		return err
	})
	if e, no := refused(err); no {
		s.find("drain.fails", "%s", e.text())
		return nil
	}
	if f, late := asFinding(err, "call.no-answer"); late {
		s.find("drain.fails", "%s", f.Message)
		return nil
	}
	if err == nil && s.work(ctx) == nil {
		s.find("drain.ignored", "it answered as before")
	}
	return err
}

// work is a call of the plugin's role.
func (s *stage) work(ctx context.Context) error {
	if slices.Contains(s.report.Kinds, kindHarmonizer) {
		_, err := s.harmonize(ctx, "work", month(fixture.CUPS, sdk.PowerMonthly, 1))
		return err
	}
	_, err := s.list(ctx)
	return err
}
