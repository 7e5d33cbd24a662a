package host

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Config of a Host.
type Config struct {
	// Paths are the folders with plugin binaries; the first that has a name wins.
	Paths []string
	// ConfigDir holds config_<name>.json, an instance each. It may not exist.
	ConfigDir string
	// Extra are instances that come from elsewhere than ConfigDir.
	Extra []Instance
	// Locked: a binary without a manifest is not started to ask what it is.
	Locked bool

	// Environment names the engine's variables that plugins see; they see no
	// others.
	Environment []string
	// LookupEnv reads the engine's environment, for Environment and for secrets
	// given as {"env": "NAME"}; nil: [os.LookupEnv].
	LookupEnv func(string) (string, bool)
	// RuntimeDir is where sockets and the plugins' private folders lie; "": the
	// system's temporary folder. Its path must be short.
	RuntimeDir string
	// DialOptions are added to every connection, for tracing.
	DialOptions []grpc.DialOption

	Timing Timing
	Logger *slog.Logger
}

// Timing of the supervision. A field that is 0 takes its default.
type Timing struct {
	Handshake time.Duration // for a process to start and say who it is: 10s
	SetUp     time.Duration // to check and take its configuration: 30s

	HealthInterval time.Duration // between two questions: 10s
	HealthDeadline time.Duration // for the answer: 2s
	HealthMisses   int           // in a row, after which it is killed: 3

	BackoffFirst time.Duration // before the first restart: 1s, doubling
	BackoffMax   time.Duration // up to 2m
	Stable       time.Duration // of work, after which the backoff begins anew: 10m
	Crashes      int           // within CrashWindow, after which it is not restarted: 5
	CrashWindow  time.Duration // 10m

	Drain time.Duration // for calls in flight at a stop: 10s
	Exit  time.Duration // for the process to end by itself after that: 3s
	Term  time.Duration // from SIGTERM to SIGKILL: 2s
}

// orDefault fills in what is not set.
func (t Timing) orDefault() Timing {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&t.Handshake, 10 * time.Second}, {&t.SetUp, 30 * time.Second},
		{&t.HealthInterval, 10 * time.Second}, {&t.HealthDeadline, 2 * time.Second},
		{&t.BackoffFirst, time.Second}, {&t.BackoffMax, 2 * time.Minute}, {&t.Stable, 10 * time.Minute},
		{&t.CrashWindow, 10 * time.Minute},
		{&t.Drain, 10 * time.Second}, {&t.Exit, 3 * time.Second}, {&t.Term, 2 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if t.HealthMisses == 0 {
		t.HealthMisses = 3
	}
	if t.Crashes == 0 {
		t.Crashes = 5
	}
	return t
}

// Host knows the plugins of one engine. It is safe for concurrent use.
type Host struct {
	config Config
	log    *slog.Logger

	mu     sync.Mutex
	probed map[fileKey]probe // what binaries without a manifest answered

	sweep sync.Once // removes what killed engines left behind
}

// New makes a Host. It starts nothing.
func New(config Config) *Host {
	config.Timing = config.Timing.orDefault()
	paths := make([]string, len(config.Paths))
	for i, path := range config.Paths { // processes start in folders of their own
		paths[i] = absolute(path)
	}
	config.Paths = paths
	if config.LookupEnv == nil {
		config.LookupEnv = os.LookupEnv
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Host{config: config, log: config.Logger, probed: make(map[fileKey]probe)}
}
