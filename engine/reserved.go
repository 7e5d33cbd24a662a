package main

import (
	"errors"
	"fmt"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// reserved are the topics that the engine keeps for itself, and the settings
// that name them. A plugin that wrote there could announce ends of runs, or take
// the place of what Datadis answered.
type reserved map[string]string

func reservedTopics(s *settings.Settings) reserved {
	return reserved{
		s.Kafka.StaticTopic: "kafka.static_topic", s.Kafka.ControlTopic: "kafka.control_topic",
		s.Kafka.DeadTopic: "kafka.dead_topic", s.Kafka.Raw.Topic: "kafka.raw.topic",
	}
}

// topics are what a started plugin says of where its data goes.
type topics interface {
	Name() string
	Plays(kind plugin.Kind) bool
	Route() sdk.Route
	Intake() sdk.Intake
}

// check says what is wrong with where a plugin's data is to go.
func (r reserved) check(one topics, roles []plugin.Kind) error {
	var problems []error
	for _, role := range roles {
		switch {
		case !one.Plays(role):
		case role == plugin.SourceKind:
			route := one.Route()
			problems = append(problems, envelope.CheckRoute(route), r.free(route.Topic))
		case role == plugin.HarmonizerKind:
			for _, topic := range one.Intake().OutputTopics {
				problems = append(problems, envelope.CheckTopic(topic), r.free(topic))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("plugin %s cannot be used: %w", one.Name(), err)
	}
	return nil
}

func (r reserved) free(topic string) error {
	if setting, taken := r[topic]; taken {
		return fmt.Errorf("topic %q is the engine's own, see %s; give the plugin another one", topic, setting)
	}
	return nil
}
