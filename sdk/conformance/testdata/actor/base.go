package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
  "required": ["topic", "token"],
  "properties": {
    "topic": {"type": "string", "description": "Where records go.", "examples": ["out"]},
    "token": {"type": "string", "description": "For the store.", "x-secret": true}%s
  }
}`

// actor answers the base calls.
type actor struct {
	pb.UnimplementedPluginServer
	asked   atomic.Int64
	drained atomic.Bool

	mu    sync.Mutex
	topic string
	token string
	dir   string
	grown [][]byte
}

func (a *actor) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	d := &pb.DescribeResponse{
		Name: name, Kinds: []pb.Kind{pb.Kind_KIND_SOURCE, pb.Kind_KIND_HARMONIZER}, Version: "1.0.0", Summary: "Acts.", Protocol: 1,
		ConfigSchema: fmt.Sprintf(configSchema, ""),
	}
	switch name {
	case "incomplete":
		d.Summary = ""
	case "odd-version":
		d.Version = "newest"
	case "unstable":
		d.Description = fmt.Sprint(a.asked.Add(1))
	case "no-schema":
		d.ConfigSchema = "[]"
	case "undocumented":
		d.ConfigSchema = fmt.Sprintf(configSchema, `, "odd": {"type": "string"}`)
	case "other-name":
		d.Name = "another"
	case "describe-fails":
		return nil, errors.New("not now")
	}
	return d, nil
}

func problems(c *pb.Config) []*pb.Problem {
	var config struct {
		Topic string `json:"topic"`
	}
	if err := json.Unmarshal([]byte(c.GetConfigJson()), &config); err != nil {
		return []*pb.Problem{{Message: err.Error()}}
	}
	var found []*pb.Problem
	if config.Topic == "" && !broken("accepts-missing") {
		message := "is missing"
		if broken("leaks-problem") {
			message += ", the token is " + c.GetSecrets()["/token"].GetText()
		}
		found = append(found, &pb.Problem{Path: "/topic", Message: message})
	}
	if c.GetSecrets()["/token"].GetText() == "" {
		found = append(found, &pb.Problem{Path: "/token", Message: "is missing"})
	}
	if broken("refuses-valid") {
		found = append(found, &pb.Problem{Message: "today is Monday"})
	}
	return found
}

func (a *actor) ValidateConfig(_ context.Context, r *pb.ValidateConfigRequest) (*pb.ValidateConfigResponse, error) {
	return &pb.ValidateConfigResponse{Problems: problems(r.GetConfig())}, nil
}

func (a *actor) Configure(_ context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	if broken("configure-fails") {
		return nil, status.Error(codes.FailedPrecondition, "the store is closed")
	}
	if found := problems(r.GetConfig()); len(found) > 0 {
		return nil, status.Error(codes.InvalidArgument, found[0].GetMessage())
	}
	var config struct {
		Topic string `json:"topic"`
	}
	_ = json.Unmarshal([]byte(r.GetConfig().GetConfigJson()), &config) // as above
	a.mu.Lock()
	defer a.mu.Unlock()
	a.topic, a.token, a.dir = config.Topic, r.GetConfig().GetSecrets()["/token"].GetText(), r.GetInstance().GetDir()
	a.write()
	m := &pb.ConfigureResponse{
		Route:    &pb.Route{Topic: a.topic, Tables: []string{"t"}, RowKeys: []*pb.RowKey{{Fields: []string{"cups"}}}},
		Intake:   &pb.Intake{OutputTopics: []string{a.topic}},
		Features: []string{"begin_run", "supplies", "end_run"},
	}
	if broken("no-route") {
		m.Route.RowKeys = nil
	}
	if broken("stale-lock") {
		if err := a.lock(); err != nil {
			return nil, status.Error(codes.FailedPrecondition, err.Error())
		}
	}
	return m, nil
}

// write writes what nobody wants to read.
func (a *actor) write() {
	switch name {
	case "leaks-token":
		fmt.Fprintf(stderr, `{"level":"INFO","msg":"connected","token":%q}`+"\n", a.token)
	case "prints-token":
		fmt.Println("connected with", a.token) // the library's stream carries it
	case "malformed-log":
		fmt.Fprintln(stderr, `{"@message":1}`)
	case "floods-stderr":
		line := make([]byte, 1<<10)
		for i := range line {
			line[i] = 'x'
		}
		line[len(line)-1] = '\n'
		for range 5 << 10 {
			_, _ = stderr.Write(line)
		}
	case "prints-for-ever":
		go func() {
			for {
				if _, err := fmt.Fprintln(stdout, "still here"); err != nil {
					return
				}
			}
		}()
	}
}

func (a *actor) CheckHealth(context.Context, *pb.CheckHealthRequest) (*pb.CheckHealthResponse, error) {
	return &pb.CheckHealthResponse{}, nil
}

func (a *actor) Drain(context.Context, *pb.DrainRequest) (*pb.DrainResponse, error) {
	if broken("drain-fails") {
		return nil, status.Error(codes.Unimplemented, "what is that?")
	}
	a.drained.Store(true)
	return &pb.DrainResponse{}, nil
}

// ready refuses work before Configure and after Drain.
func (a *actor) ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.topic == "":
		return status.Error(codes.FailedPrecondition, "not configured")
	case a.drained.Load() && !broken("drain-ignored"):
		return status.Error(codes.Unavailable, "the plugin is stopping")
	}
	return nil
}
