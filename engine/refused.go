package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// errRefused is that of a command whose other plugins did their work.
type errRefused struct{ instance, reason string }

func (e errRefused) Error() string {
	return fmt.Sprintf("plugin %s was not started: %s", e.instance, e.reason)
}

// leaveOut takes the plugins out of the problems that are there and not
// allowed: the others go on without them. Sources among them have failed;
// what the harmonizers have missed stays in Kafka.
func (p *plugins) leaveOut(problems []host.Problem, log *slog.Logger) (others []host.Problem) {
	for _, problem := range problems {
		if !problem.Status.Refused() {
			others = append(others, problem)
			continue
		}
		unknown := len(problem.Kinds) == 0
		isSource := unknown || slices.Contains(problem.Kinds, plugin.SourceKind)
		isHarmonizer := unknown || slices.Contains(problem.Kinds, plugin.HarmonizerKind)
		reason := fmt.Sprintf("%s: %s", problem.Status, problem.Message)
		if isSource && slices.Contains(p.roles, plugin.SourceKind) {
			p.failed[problem.Instance] = reason
		}
		if isHarmonizer && slices.Contains(p.roles, plugin.HarmonizerKind) {
			p.absent++
		}
		if isSource && slices.Contains(p.roles, plugin.SourceKind) || isHarmonizer && slices.Contains(p.roles, plugin.HarmonizerKind) {
			p.refused = append(p.refused, errRefused{problem.Instance, reason})
			log.Error("plugin is not started; the others go on", "instance", problem.Instance, "status", problem.Status, "reason", problem.Message)
		}
	}
	return others
}

// missed is the error of a command that could not start all of its plugins, if
// it could not.
func (p *plugins) missed() error { return errors.Join(p.refused...) }
