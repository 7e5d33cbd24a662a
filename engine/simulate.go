package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

const simulateHelp = `simulate serves a Datadis to try things against: made up from a seed, written
in a world file, or recorded. It refuses what the real one refuses, a query
repeated within 24 hours included, and fails as it is told to.

The first line it prints is its base URL. It runs until it is interrupted.

What it knows is at /simulator/truth, what it was asked at /simulator/requests;
the clock moves by POST /simulator/clock, faults by POST /simulator/faults.`

const simulateExamples = `  # Three logins with two supplies each, and a file of users to gather them with
  engine simulate --accounts 3 --supplies 2 --users-out users.csv

  # A fixed time, and three in ten of first calls fail
  echo '[{"match": {"endpoint": "data", "nth": 1, "probability": 0.3},
          "fault": {"kind": ["500", "502", "html200", "cut"]}}]' > faults.json
  engine simulate --now 2026-11-10T09:00:00Z --faults faults.json --truth truth.csv --log requests.jsonl

  # Bodies that Datadis once sent, the 24-hour rule remembered over restarts
  engine simulate --recorded bodies/ --dir state/

  # Move its clock on
  curl -d '{"advance": "24h"}' http://127.0.0.1:8025/simulator/clock`

// simulateFlags are what the command line says.
type simulateFlags struct {
	listen, urlFile        string
	world, recorded        string
	username, password     string
	now                    string
	dir, faults            string
	truth, entitlements    string
	log, usersOut          string
	repeatMode, latency    string
	seed                   uint64
	accounts, supplies     int
	repeatAfter, publishes time.Duration
	partialDay             bool
	corrected              float64
	correctedAfter         time.Duration
}

func newSimulateCommand(a *app) *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:     "simulate",
		Short:   "Serve a Datadis to try things against",
		Long:    simulateHelp,
		Example: simulateExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), a.stdout, slog.New(slog.NewTextHandler(a.stderr, nil)))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8025", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&f.urlFile, "url-file", "", "write the base URL to this `file` too")
	flags.Uint64Var(&f.seed, "seed", 1, "`number` that the world, its values and its faults come from")
	flags.IntVar(&f.accounts, "accounts", 10, "`logins` of the made-up world")
	flags.IntVar(&f.supplies, "supplies", 5, "`supplies` of each of its holders")
	flags.StringVar(&f.world, "world", "", "JSON `file` of logins, supplies, consents and habits of distributors")
	flags.StringVar(&f.recorded, "recorded", "", "`folder` of recorded bodies to serve instead of a world")
	flags.StringVar(&f.username, "username", "", "only `user` that a recorded world lets in (default anybody)")
	flags.StringVar(&f.password, "password", "", "its `password` (default any)")
	flags.StringVar(&f.now, "now", "", "`time` (RFC 3339) at which the clock starts (default now; recorded: the day after)")
	flags.DurationVar(&f.publishes, "lag", 48*time.Hour, "`duration` after which readings are published")
	flags.BoolVar(&f.partialDay, "partial-day", false, "publish hour by hour instead of day by day")
	flags.Float64Var(&f.corrected, "corrected", 0, "`share` (0 to 1) of hours that are estimated first and corrected later")
	flags.DurationVar(&f.correctedAfter, "corrected-after", 10*24*time.Hour, "`duration` after which they are")
	flags.DurationVar(&f.repeatAfter, "repeat-after", 24*time.Hour, "`duration` for which a repeated query is refused; 0: never")
	flags.StringVar(&f.repeatMode, "repeat-mode", "", "`list` of any, forget-abandoned, separate-versions, refresh")
	flags.StringVar(&f.dir, "dir", "", "`folder` in which queries are remembered over restarts")
	flags.StringVar(&f.faults, "faults", "", "JSON `file` of rules of faults")
	flags.StringVar(&f.latency, "api-latency", "short", "none, short (2-20ms), real (1-15s), a `duration` or a range such as 50ms-2s")
	flags.StringVar(&f.truth, "truth", "", "CSV `file` of what a perfect client knows, written at start and at the end")
	flags.StringVar(&f.entitlements, "entitlements", "", "CSV `file` of who may see which supply, written with the truth")
	flags.StringVar(&f.log, "log", "", "JSON lines `file` that every call is added to")
	flags.StringVar(&f.usersOut, "users-out", "", "CSV `file` of the users, as engine run --users reads it")
	return cmd
}

// run serves until the context ends.
func (f *simulateFlags) run(ctx context.Context, stdout io.Writer, logger *slog.Logger) (err error) {
	config, err := f.config(logger)
	if err != nil {
		return wrongUsage(err)
	}
	if f.log != "" {
		log, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open the request log: %w", err)
		}
		defer log.Close() // every line has been written by then
		config.Log = log
	}
	sim, err := simulator.New(config)
	if err != nil {
		return wrongUsage(err)
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	if err := f.write(sim); err != nil {
		return err
	}
	if err := f.serve(ctx, sim, stdout); err != nil {
		return err
	}
	return f.writeTruth(sim)
}

// config is the simulator's configuration.
func (f *simulateFlags) config(logger *slog.Logger) (simulator.Config, error) {
	c := simulator.Config{
		Seed: f.seed, Accounts: f.accounts, Supplies: f.supplies,
		Username: f.username, Password: f.password,
		RepeatAfter: orNone(f.repeatAfter), Lag: orNone(f.publishes), PartialDay: f.partialDay,
		Corrections: simulator.Corrections{Share: f.corrected, After: f.correctedAfter},
		Dir:         f.dir, Logger: logger,
	}
	var errs [5]error
	c.World, errs[0] = readWith(f.world, "--world", simulator.ReadWorld)
	c.Faults, errs[1] = readWith(f.faults, "--faults", simulator.ReadFaults)
	c.Latency, errs[2] = parseLatency(f.latency)
	if c.Repeat, errs[3] = simulator.ParseRepeatMode(f.repeatMode); errs[3] != nil {
		errs[3] = fmt.Errorf("--repeat-mode: %w", errs[3])
	}
	if f.recorded != "" {
		c.Recorded = os.DirFS(f.recorded)
	}
	if f.now != "" {
		start, err := time.Parse(time.RFC3339, f.now)
		if err != nil {
			errs[4] = fmt.Errorf("--now: %q is not RFC 3339, such as 2026-11-10T09:00:00Z", f.now)
		}
		c.Now = simulator.StartingAt(start)
	}
	return c, errors.Join(errs[:]...)
}

// orNone turns the 0 of a flag into the "none" of the simulator's Config.
func orNone(d time.Duration) time.Duration { return cmp.Or(d, -1) }

// readWith reads the file of a flag, if there is one.
func readWith[T any](path, flag string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	if path == "" {
		return none, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return none, fmt.Errorf("%s: %w", flag, err)
	}
	defer file.Close()
	v, err := read(file)
	if err != nil {
		return none, fmt.Errorf("%s %s: %w", flag, path, err)
	}
	return v, nil
}

// parseLatency reads a name, a duration or a range of durations.
func parseLatency(text string) (simulator.Latency, error) {
	switch text {
	case "none", "0":
		return simulator.Latency{}, nil
	case "short":
		return simulator.Latency{Min: 2 * time.Millisecond, Max: 20 * time.Millisecond}, nil
	case "real":
		return simulator.Latency{Min: time.Second, Max: 15 * time.Second}, nil
	}
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	from, errFrom := time.ParseDuration(low)
	to, errTo := time.ParseDuration(high)
	if errFrom != nil || errTo != nil || from < 0 || to < from {
		return simulator.Latency{}, fmt.Errorf("--api-latency: %q is not none, short, real, a duration or a range of two", text)
	}
	return simulator.Latency{Min: from, Max: to}, nil
}

// write writes what is known before anybody asks.
func (f *simulateFlags) write(sim *simulator.Simulator) error {
	if err := writeWhole(f.usersOut, sim.WriteUsers); err != nil {
		return err
	}
	return f.writeTruth(sim)
}

func (f *simulateFlags) writeTruth(sim *simulator.Simulator) error {
	return errors.Join(writeWhole(f.truth, sim.WriteTruth), writeWhole(f.entitlements, sim.WriteEntitlements))
}

// writeWhole writes a file that is there whole or as it was before; nothing if
// path is empty.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(path+".part"))
	}
	return os.Rename(path+".part", path)
}

// drainTime is how long calls in flight may take to end.
const drainTime = 5 * time.Second

// serve listens, says where, and serves until the context ends.
func (f *simulateFlags) serve(ctx context.Context, sim *simulator.Simulator, stdout io.Writer) error {
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	url := baseURL(listener.Addr())
	err = errors.Join(say(stdout, url), writeWhole(f.urlFile, func(w io.Writer) error { return say(w, url) }))
	if err == nil {
		select {
		case err = <-failed:
			return fmt.Errorf("simulate: %w", err)
		case <-ctx.Done():
		}
	}
	sim.LetGo()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if server.Shutdown(drain) != nil {
		err = errors.Join(err, server.Close()) // whoever is still there has been waited for
	}
	<-failed
	return err
}

func say(w io.Writer, url string) error {
	_, err := fmt.Fprintln(w, url)
	return err
}

// baseURL is where clients on this machine reach a listener.
func baseURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
