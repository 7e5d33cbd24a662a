package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/producer"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// plugins are the started instances, in the roles that the command needs.
type plugins struct {
	roles       []plugin.Kind
	reserved    reserved // topics that none of them may write to
	sources     []*host.Running
	harmonizers []*host.Running
	failed      map[string]string // sources that did not start, and why
	outputs     []string          // folders that people will want to look at
	refused     []error           // instances whose plugin may not be started
	absent      int               // harmonizers among them
}

func newPlugins(s *settings.Settings, roles ...plugin.Kind) *plugins {
	return &plugins{roles: roles, reserved: reservedTopics(s), failed: make(map[string]string)}
}

// wants tells whether the instance is needed in the role.
func (p *plugins) wants(in *host.Instance, role plugin.Kind) bool {
	return slices.Contains(p.roles, role) && in.Plays(role)
}

// needed are the instances that play one of the roles.
func (p *plugins) needed(instances []host.Instance) []host.Instance {
	var needed []host.Instance
	for _, in := range instances {
		if slices.ContainsFunc(p.roles, in.Plays) {
			needed = append(needed, in)
		}
	}
	return needed
}

// close drains all of them at once.
func (p *plugins) close() {
	running := make(map[*host.Running]bool)
	for _, one := range slices.Concat(p.sources, p.harmonizers) {
		running[one] = true
	}
	var all sync.WaitGroup
	for one := range running {
		all.Go(one.Close)
	}
	all.Wait()
}

// launched is what became of an instance.
type launched struct {
	host.Instance
	running *host.Running
	err     error
}

// launch starts the instances that are needed, at the same time, in the roles
// that they are needed in.
func (p *plugins) launch(ctx context.Context, h *host.Host, instances []host.Instance) []launched {
	instances = p.needed(instances)
	all := make([]launched, len(instances))
	var starting sync.WaitGroup
	for i, in := range instances {
		starting.Go(func() {
			roles := slices.DeleteFunc(slices.Clone(p.roles), func(role plugin.Kind) bool { return !in.Plays(role) })
			running, err := h.Start(ctx, in, roles...)
			if err == nil {
				if err = p.reserved.check(running, roles); err != nil {
					running.Close()
				}
			}
			all[i] = launched{in, running, err}
		})
	}
	starting.Wait()
	for i := range all {
		if one := &all[i]; one.err == nil {
			p.add(&one.Instance, one.running)
		}
	}
	return all
}

func (p *plugins) add(in *host.Instance, running *host.Running) {
	if p.wants(in, plugin.SourceKind) {
		p.sources = append(p.sources, running)
	}
	if p.wants(in, plugin.HarmonizerKind) {
		p.harmonizers = append(p.harmonizers, running)
	}
}

// start starts instances. A configuration that a plugin does not accept ends
// the command, and so does a harmonizer that does not start; any other source
// that does not start is noted, and the others go on.
func (p *plugins) start(ctx context.Context, h *host.Host, instances []host.Instance) error {
	var problems []host.Problem
	var broken []error
	for _, one := range p.launch(ctx, h, instances) {
		var config *host.ConfigError
		switch {
		case one.err == nil:
		case errors.As(one.err, &config):
			problems = append(problems, config.List()...)
		case errors.As(one.err, new(*host.MismatchError)): // exchanged just now
			p.refused = append(p.refused, one.err)
			p.failed[one.Name] = one.err.Error()
		case p.wants(&one.Instance, plugin.HarmonizerKind):
			broken = append(broken, one.err)
		default:
			p.failed[one.Name] = one.err.Error()
		}
	}
	if err := errors.Join(usageOf(problems), errors.Join(broken...)); err != nil {
		p.close()
		return err
	}
	return nil
}

// tolerate starts all instances that can be started: whatever is wrong with
// one project's source, the others go on. It returns what is wrong.
func (p *plugins) tolerate(ctx context.Context, h *host.Host) []host.Problem {
	instances, problems := h.Instances(ctx)
	for _, problem := range problems {
		p.failed[problem.Instance] = problem.Message
	}
	for _, one := range p.launch(ctx, h, instances) {
		var config *host.ConfigError
		switch {
		case one.err == nil:
			continue
		case errors.As(one.err, &config):
			problems = append(problems, config.List()...)
		default:
			problems = append(problems, host.Problem{Instance: one.Name, File: one.File, Message: one.err.Error()})
		}
		p.failed[one.Name] = one.err.Error()
	}
	return problems
}

// usageOf makes one error of problems with configurations.
func usageOf(problems []host.Problem) error {
	all := make([]error, len(problems))
	for i, p := range problems {
		all[i] = errors.New(p.String())
	}
	return wrongUsage(errors.Join(all...))
}

// grantors are the sources as the producer asks them, and their routes.
func (p *plugins) grantors() ([]producer.Source, map[string]sdk.Route) {
	sources := make([]producer.Source, len(p.sources))
	routes := make(map[string]sdk.Route, len(p.sources))
	for i, one := range p.sources {
		sources[i] = producer.Source{Name: one.Name(), Source: one}
		routes[one.Name()] = one.Route()
	}
	return sources, routes
}

// withFailed adds the sources that did not start to those that failed later.
func (p *plugins) withFailed(failed map[string]string) map[string]string {
	all := maps.Clone(p.failed)
	maps.Copy(all, failed)
	return all
}
