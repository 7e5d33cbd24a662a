package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"google.golang.org/grpc/codes"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

// server answers the base calls and keeps the instance for the others.
type server struct {
	pb.UnimplementedPluginServer
	binary *binary
	gate   *gate
	life   context.Context // of the instance: ends when the process is about to
	log    *slog.Logger

	mu       sync.Mutex
	instance *configured // nil before Configure
	closed   bool
}

// Describe implements the protocol.
func (s *server) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return s.binary.description.toWire(), nil
}

// ValidateConfig implements the protocol.
func (s *server) ValidateConfig(ctx context.Context, r *pb.ValidateConfigRequest) (*pb.ValidateConfigResponse, error) {
	problems := s.binary.validate(ctx, wire.DecodeInstance(r.GetInstance()), settingsFromWire(r.GetConfig()))
	return &pb.ValidateConfigResponse{Problems: wire.EncodeProblems(problems)}, nil
}

// Configure implements the protocol.
func (s *server) Configure(_ context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instance != nil || s.closed {
		return nil, newStatus(codes.FailedPrecondition, "already configured, or draining", "", sdk.FromInput, 0)
	}
	kinds := translate(r.GetKinds(), kindsFromWire)
	c, problems, err := s.binary.configure(s.life, wire.DecodeInstance(r.GetInstance()), settingsFromWire(r.GetConfig()), kinds)
	if err != nil {
		return nil, setUpStatus(err)
	}
	if len(problems) > 0 {
		return nil, newStatus(codes.InvalidArgument, "configuration: "+describeProblems(problems), "config", sdk.FromInput, 0)
	}
	s.instance = c
	return &pb.ConfigureResponse{
		Route:    wire.EncodeRoute(c.route),
		Intake:   &pb.Intake{Sources: c.intake.Sources, OutputTopics: c.intake.OutputTopics},
		Features: c.features(),
	}, nil
}

// setUpStatus takes an error that says nothing of itself as a target that is
// not ready, since the configuration was found good.
func setUpStatus(err error) error {
	status := toStatus(err)
	if grpcCode(status) == codes.Unknown {
		return newStatus(codes.FailedPrecondition, err.Error(), "", sdk.FromPlugin, 0)
	}
	return status
}

// CheckHealth implements the protocol.
func (s *server) CheckHealth(ctx context.Context, _ *pb.CheckHealthRequest) (*pb.CheckHealthResponse, error) {
	s.mu.Lock()
	instance := s.instance
	s.mu.Unlock()
	if instance == nil {
		return &pb.CheckHealthResponse{}, nil
	}
	for _, role := range []any{instance.source, instance.harmonizer} {
		if checker, ok := role.(HealthChecker); ok {
			if err := checker.CheckHealth(ctx); err != nil {
				return &pb.CheckHealthResponse{Problem: wire.Text(err.Error())}, nil
			}
		}
	}
	return &pb.CheckHealthResponse{}, nil
}

// Drain implements the protocol.
func (s *server) Drain(ctx context.Context, _ *pb.DrainRequest) (*pb.DrainResponse, error) {
	if err := s.drain(ctx); err != nil {
		return nil, toStatus(err)
	}
	return &pb.DrainResponse{}, nil
}

// drain takes no more calls, waits for those in flight, and closes the
// instance. Later calls of it only wait.
func (s *server) drain(ctx context.Context) error {
	s.gate.shut()
	if err := s.gate.wait(ctx); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.instance == nil {
		return nil
	}
	return s.instance.close()
}

// close closes what the author's functions returned.
func (c *configured) close() error {
	var failures []error
	for _, role := range []any{c.source, c.harmonizer} {
		if closer, ok := role.(io.Closer); ok {
			failures = append(failures, closer.Close())
		}
	}
	return errors.Join(failures...)
}

// ready is the configured instance.
func (s *server) ready() (*configured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instance == nil {
		return nil, newStatus(codes.FailedPrecondition, "not configured", "", sdk.FromInput, 0)
	}
	return s.instance, nil
}

func settingsFromWire(m *pb.Config) Settings {
	s := Settings{JSON: rawJSON(m.GetConfigJson()), Secrets: make(map[string]sdk.Secret, len(m.GetSecrets()))}
	if s.JSON == nil {
		s.JSON = []byte("{}")
	}
	for pointer, secret := range m.GetSecrets() {
		s.Secrets[pointer] = sdk.NewSecret(secret.GetText())
	}
	return s
}

func settingsToWire(s Settings) *pb.Config {
	m := &pb.Config{ConfigJson: string(s.JSON), Secrets: make(map[string]*pb.Secret, len(s.Secrets))}
	for pointer, secret := range s.Secrets {
		m.Secrets[pointer] = &pb.Secret{Text: secret.Reveal()}
	}
	return m
}

// describeProblems puts problems on one line.
func describeProblems(problems []sdk.Problem) string {
	line := ""
	for i, p := range problems {
		if i > 0 {
			line += "; "
		}
		if p.Path != "" {
			line += p.Path + ": "
		}
		line += p.Message
	}
	return line
}
