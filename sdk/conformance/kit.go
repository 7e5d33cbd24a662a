package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

const (
	kindSource     = "source"
	kindHarmonizer = "harmonizer"
)

// Options of a trial. The zero value tries a plugin with the example
// configuration that its schema gives.
type Options struct {
	// Config is the path of a configuration, as the engine takes it: the key
	// "plugin" is left out, secrets may be {"env": …} or {"file": …}. The files
	// beside it are copied into each instance's folder. "" makes one of the
	// required keys and the examples of the schema.
	Config string
	// LookupEnv finds the variables that the configuration names; nil:
	// [os.LookupEnv].
	LookupEnv func(string) (string, bool)
	// EmptyStore empties the store of a harmonizer that keeps its results neither
	// in records nor in files, so that each trial begins with none, as an
	// instance's folder does. It may be nil.
	EmptyStore func(context.Context) error
	// CheckSchema says what is wrong with the configuration's schema, beyond what
	// the kit sees by itself; it may be nil.
	CheckSchema func(schema []byte) error
	// Only names the checks to make, or groups of them (process, config, source,
	// harmonizer); none: all. What the others need is made in any case.
	Only []string
	// Timing is how long things may take.
	Timing Timing
	// Progress is told of each check before it begins; it may be nil.
	Progress func(check string)
}

// Timing is how long things may take. A field that is 0 takes its default.
type Timing struct {
	Handshake time.Duration // from the start to the answer of Describe: 10s
	Call      time.Duration // for a call's answer: 30s
	Exit      time.Duration // for the process to end when it should: 5s
	Measure   time.Duration // at most, for the performance card: 5s
}

func (t Timing) orDefault() Timing {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&t.Handshake, 10 * time.Second}, {&t.Call, 30 * time.Second}, {&t.Exit, 5 * time.Second}, {&t.Measure, 5 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	return t
}

// Run tries the binary at path. An error says that the trial could not take
// place; what is wrong with the plugin is in the report.
func Run(ctx context.Context, path string, o Options) (*Report, error) {
	k, err := newKit(path, o)
	if err != nil {
		return nil, err
	}
	defer k.close()
	if err := k.tryAll(ctx); err != nil {
		return nil, err
	}
	return k.report, nil
}

// kit tries one plugin.
type kit struct {
	path    string
	options Options
	timing  Timing
	base    string // folder of all worlds
	worlds  int
	report  *Report

	description *pb.DescribeResponse // nil until the plugin has answered
	config      *config              // nil until its schema is known
	starts      []time.Duration
	stopped     map[string]string // group of checks → the code after which it was given up

	mu        sync.Mutex
	processes []*process
	leaks     []string // secrets seen in answers: where
	passwords []string // of grants
}

func newKit(path string, o Options) (*kit, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, fmt.Errorf("there is no plugin to try: %w", err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return nil, fmt.Errorf("%s is no file that may be run; chmod +x", path)
	}
	base, err := os.MkdirTemp("", "ddc-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the trial: %w", err)
	}
	const longest, below = 104, len("/999/tmp/plugin4294967295") // of a socket's path
	if len(base)+below > longest {
		return nil, errors.Join(os.Remove(base), fmt.Errorf("the temporary folder %s is too long a path for sockets; set TMPDIR to a shorter one", base))
	}
	return &kit{path: path, options: o, timing: o.Timing.orDefault(), base: base, stopped: map[string]string{},
		report: &Report{Kit: Version, Kinds: []string{}, Checks: []Check{}, Findings: []Finding{}}}, nil
}

func (k *kit) close() {
	for _, p := range k.processes {
		k.end(p)
	}
	_ = os.RemoveAll(k.base)
}

// trial is a check of the kit. Its name's first word is its group: when a group
// is given up, its other checks are skipped.
type trial struct {
	name string
	run  func(ctx context.Context, c *check) error
}

// tryAll runs every check that applies.
func (k *kit) tryAll(ctx context.Context) error {
	trials := slices.Concat(processTrials, configTrials, sourceTrials, harmonizerTrials, endTrials, exitTrials)
	for _, t := range trials {
		if !k.wanted(t.name) {
			continue
		}
		if err := k.try(ctx, t); err != nil {
			return err
		}
	}
	k.observe()
	k.report.Passed = len(k.report.Findings) == 0
	return nil
}

// wanted tells whether a check is to be made.
func (k *kit) wanted(name string) bool {
	group, _, _ := strings.Cut(name, ".")
	only := k.options.Only
	return len(only) == 0 || slices.Contains(only, name) || slices.Contains(only, group) || slices.Contains(needed, name)
}

// needed are the checks from which the others know the plugin.
var needed = []string{"process.handshake", "process.describe"}

// skipError is why a check does not apply.
type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

func (k *kit) try(ctx context.Context, t trial) error {
	if k.options.Progress != nil {
		k.options.Progress(t.name)
	}
	group, _, _ := strings.Cut(t.name, ".")
	c := &check{kit: k, name: t.name}
	began := time.Now()
	err := k.skip(group)
	if err == nil {
		err = t.run(ctx, c)
		c.close()
	}
	result := Check{Name: t.name, Status: Passed, Duration: time.Since(began)}
	var broken *Finding
	var skip *skipError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &skip):
		result.Status, result.Reason = Skipped, skip.reason
	case errors.As(err, &broken):
		c.add(broken)
	case err != nil:
		return fmt.Errorf("check %s: %w", t.name, err)
	}
	if len(c.findings) > 0 {
		result.Status = Failed
	}
	k.giveUp(group, c.findings)
	if t.name == "process.describe" && k.config == nil && k.stopped[""] == "" {
		k.stopped[""] = "describe.schema" // nothing can be configured
	}
	k.report.Checks = append(k.report.Checks, result)
	k.report.Findings = append(k.report.Findings, c.findings...)
	return nil
}

// skip says why a group's checks are not made any more, or never were.
func (k *kit) skip(group string) error {
	isRole := group == kindSource || group == kindHarmonizer
	switch {
	case k.stopped[""] != "":
		return &skipError{"after " + k.stopped[""]}
	case k.stopped[group] != "":
		return &skipError{"after " + k.stopped[group]}
	case isRole && !slices.Contains(k.report.Kinds, group):
		return &skipError{"it is no " + group}
	}
	return nil
}

// giveUp decides what a finding leaves no sense in trying.
func (k *kit) giveUp(group string, findings []Finding) {
	for _, f := range findings {
		switch kind, _, _ := strings.Cut(f.Code, "."); {
		case kind == "handshake", f.Code == "describe.fails", f.Code == "config.refused", f.Code == "configure.fails":
			k.stopped[""] = f.Code
		case kind == "call" || kind == "answer":
			k.stopped[group] = f.Code
		}
	}
}

// finding makes the error that ends a check.
func finding(code, format string, args ...any) *Finding {
	return &Finding{Code: code, Message: fmt.Sprintf(format, args...)}
}

// check is one check while it runs.
type check struct {
	*kit
	name     string
	findings []Finding
}

// find notes a finding; a code counts once in a check.
func (c *check) find(code, format string, args ...any) { c.add(finding(code, format, args...)) }

func (c *check) add(f *Finding) {
	if !slices.ContainsFunc(c.findings, func(have Finding) bool { return have.Code == f.Code }) {
		c.findings = append(c.findings, Finding{Code: f.Code, Check: c.name, Message: f.Message})
	}
}

// close ends the processes that the check has started. What they wrote is kept.
func (c *check) close() {
	for _, p := range c.processes {
		c.end(p)
	}
}

// observe turns what was seen of all processes into findings.
func (k *kit) observe() {
	began := time.Now()
	output := &check{kit: k, name: "hygiene.output"}
	for _, p := range k.processes {
		p.out.mu.Lock()
		if p.out.chatter != "" {
			output.find("stdout.chatter", "it printed %q", cut(p.out.chatter))
		}
		if p.out.bytes > floodAt {
			output.find("stderr.flood", "%d MiB in one check", p.out.bytes>>20)
		}
		if p.out.malformed != "" {
			output.find("log.malformed", "%s", p.out.malformed)
		}
		p.out.mu.Unlock()
	}
	secrets := &check{kit: k, name: "hygiene.secrets"}
	for _, where := range k.seenSecrets() {
		secrets.find("secrets.leaked", "a secret is in %s", where)
	}
	for _, c := range []*check{output, secrets} {
		result := Check{Name: c.name, Status: Passed, Duration: time.Since(began)}
		if len(c.findings) > 0 {
			result.Status = Failed
		}
		k.report.Checks = append(k.report.Checks, result)
		k.report.Findings = append(k.report.Findings, c.findings...)
	}
}
