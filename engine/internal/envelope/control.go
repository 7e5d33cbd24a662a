package envelope

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Started says on the control topic that a run began, and where its data will
// be.
type Started struct {
	Run         string               `json:"run"`
	Policy      string               `json:"policy"`
	Started     time.Time            `json:"started"`
	Routes      map[string]sdk.Route `json:"routes"` // by source
	StaticTopic string               `json:"static_topic"`
}

// Finished says on the control topic that a run ended: everything of it lies
// below the end offsets.
type Finished struct {
	Run          string               `json:"run"`
	Policy       string               `json:"policy"`
	Started      time.Time            `json:"started"`
	Finished     time.Time            `json:"finished"`
	Routes       map[string]sdk.Route `json:"routes"` // by source, as in Started
	Outcome      sdk.Outcome          `json:"outcome"`
	Counts       map[string]int64     `json:"counts"`
	FailedGrants []sdk.FailedGrant    `json:"failed_grants"`
	EndOffsets   EndOffsets           `json:"end_offsets"`
}

// EndOffsets is, per topic and partition, the offset after the last message.
type EndOffsets map[string]map[int32]int64

// Control is a message of the control topic: one of the two is set.
type Control struct {
	Started  *Started
	Finished *Finished
}

const (
	startedKey  = "/started"
	finishedKey = "/finished"
)

// Message is the message that says so. The key is the run's, so that a
// compacted topic keeps one message of each kind per run.
func (s Started) Message(topic string) (Message, error) {
	return controlMessage(topic, s.Run, startedKey, s)
}

// Message is the message that says so.
func (f Finished) Message(topic string) (Message, error) {
	f.FailedGrants = nonNil(f.FailedGrants)
	return controlMessage(topic, f.Run, finishedKey, f)
}

func controlMessage(topic, run, kind string, content any) (Message, error) {
	value, err := json.Marshal(content)
	if err != nil {
		return Message{}, fmt.Errorf("run %s%s as a message: %w", run, kind, err)
	}
	return Message{
		Topic: topic, Key: []byte(run + kind), Value: value,
		Headers: []Header{{HeaderSchema, Schema}, {HeaderRun, run}},
	}, nil
}

// ParseControl reads a message of the control topic. Its errors are
// [ErrSchema] and [ErrMalformed].
func ParseControl(m *Message) (Control, error) {
	if err := checkSchema(m); err != nil {
		return Control{}, err
	}
	var c Control
	run, kind := string(m.Key), ""
	if i := strings.LastIndexByte(run, '/'); i > 0 {
		run, kind = run[:i], run[i:]
	}
	switch kind {
	case startedKey:
		c.Started = new(Started)
		if err := json.Unmarshal(m.Value, c.Started); err != nil || c.Started.Run != run {
			return Control{}, malformed("not the start of the run in its key")
		}
	case finishedKey:
		c.Finished = new(Finished)
		if err := json.Unmarshal(m.Value, c.Finished); err != nil || c.Finished.Run != run {
			return Control{}, malformed("not the end of the run in its key")
		}
	default:
		return Control{}, malformed("neither the start nor the end of a run")
	}
	return c, nil
}
