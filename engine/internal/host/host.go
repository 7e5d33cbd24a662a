package host

import (
	"io"
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
	// Lock is the file that says which binaries are trusted; "": there is none.
	Lock string
	// Locked: only what the lock file trusts is started, and no binary is
	// started only to ask what it is. Otherwise a difference is a warning.
	Locked bool
	// Limits of every process; those of an instance outweigh them.
	Limits Limits

	// Environment names the engine's variables that plugins see; they see no
	// others.
	Environment []string
	// LookupEnv reads the engine's environment, for Environment and for secrets
	// given as {"env": "NAME"}; nil: [os.LookupEnv].
	LookupEnv func(string) (string, bool)
	// StateDir is where each instance's log and state are kept for
	// `engine plugins logs` and `list`; "": nowhere.
	StateDir string
	// NewLogger makes the logger of what is kept: JSON lines, masked as the
	// engine's own are. It is needed with StateDir.
	NewLogger func(io.Writer) *slog.Logger
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
	Crashes      int           // within CrashWindow and without work, after which it is not restarted: 5
	CrashWindow  time.Duration // 10m

	Call  time.Duration // that a call to a harmonizer may take before the process counts as hung: 30m
	Await time.Duration // that a call waits for a process that is being restarted: 15s

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
		{&t.CrashWindow, 10 * time.Minute}, {&t.Call, 30 * time.Minute}, {&t.Await, 15 * time.Second},
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

	sweep  sync.Once // removes what killed engines left behind
	copies copies
	unkept sync.Once // says that nothing can be kept below StateDir
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
	return &Host{config: config, log: config.Logger, probed: make(map[fileKey]probe), copies: copies{known: make(map[string]*copied)}}
}
