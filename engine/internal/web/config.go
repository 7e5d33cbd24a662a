package web

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// Desk answers what people ask.
type Desk interface {
	Status(ctx context.Context) (view.Status, error)
	Accounts(ctx context.Context) ([]view.Account, error)
	Coverage(ctx context.Context, r coverage.Request) (coverage.Report, error)
	// Letters are with all that is known of them.
	Letters(ctx context.Context, f view.LetterFilter) ([]view.Letter, error)
}

// Actions change dead letters, and steer runs.
type Actions interface {
	Retry(ctx context.Context, f view.LetterFilter) ([]view.Acted, error)
	Drop(ctx context.Context, f view.LetterFilter) ([]view.Acted, error)
	Steer(ctx context.Context, o view.Order) (view.Steered, error)
}

// Config of what is served.
type Config struct {
	Desk    Desk
	Health  func() health.Report
	Plugins func() []view.Plugin // that this process runs
	Metrics http.Handler
	Mask    func(string) string // hides personal data in a text

	Clear   bool   // show personal data in full
	Command string // that the process runs, for the page
	Version string
	Logger  *slog.Logger
}

// Access says who may see what.
type Access struct {
	Token    sdk.Secret // empty: none
	Open     Level      // what is served without it
	Loopback bool       // the address can be reached from this machine only
}

// Level is how much something tells.
type Level int

// The levels.
const (
	Probes  Level = iota // whether the process is well
	Metrics              // numbers
	All                  // what people see
)

// ParseLevel reads the setting http.open.
func ParseLevel(text string) Level {
	switch text {
	case "metrics":
		return Metrics
	case "all":
		return All
	default:
		return Probes
	}
}
