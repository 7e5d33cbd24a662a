package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

// Definition says what a plugin is. C is a struct that holds its configuration;
// tags of its fields say more about each key:
//
//	Path  string        `json:"path" doc:"The file with the users." example:"users.csv" required:"true"`
//	Token sdk.Secret    `json:"token" doc:"For the project's API."`
//	Every time.Duration `json:"every" default:"30s"`
//	Mode  string        `json:"mode" enum:"fast,safe" default:"safe"`
//
// Fields of type sdk.Secret are secrets. Slices, maps and structs may be nested.
type Definition[C any] struct {
	Name        string // the <name> of the file datadis-plugin-<name>
	Version     string // semantic; "" takes the version of the Go module
	Summary     string // one line
	Description string
	Homepage    string
	License     string // SPDX identifier
	Authors     []string

	// Source sets up the role of a source; nil if the plugin has none. The
	// context lasts as long as the instance. If what it returns is an
	// [io.Closer], it is closed before the process ends.
	Source func(ctx context.Context, in sdk.Instance, config C) (sdk.Source, sdk.Route, error)
	// Harmonizer does so for the role of a harmonizer.
	Harmonizer func(ctx context.Context, in sdk.Instance, config C) (sdk.Harmonizer, sdk.Intake, error)
	// Check finds problems that the tags cannot express; it may be nil. It must
	// change nothing.
	Check func(ctx context.Context, in sdk.Instance, config C) []sdk.Problem
}

// HealthChecker is for a source or a harmonizer that can tell whether what it
// needs is there. The engine asks every few seconds and reports the error.
type HealthChecker interface {
	CheckHealth(ctx context.Context) error
}

// binary is a Definition without its type parameter.
type binary struct {
	description Description
	schema      *schema
	validate    func(ctx context.Context, in sdk.Instance, s Settings) []sdk.Problem
	configure   func(ctx context.Context, in sdk.Instance, s Settings, kinds []Kind) (*configured, []sdk.Problem, error)
}

// configured is an instance that is ready for work.
type configured struct {
	source     sdk.Source
	route      sdk.Route
	harmonizer sdk.Harmonizer
	intake     sdk.Intake
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// compile checks a definition. An error is a mistake of the author's.
func compile[C any](d Definition[C]) (*binary, error) {
	if !validName.MatchString(d.Name) {
		return nil, fmt.Errorf("the name %q does not match %s", d.Name, validName)
	}
	if d.Source == nil && d.Harmonizer == nil {
		return nil, errors.New("the definition has neither a Source nor a Harmonizer")
	}
	s, err := schemaOf(reflect.TypeFor[C](), d.Name)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("configuration schema: %w", err)
	}
	b := &binary{schema: s, description: Description{
		Name: d.Name, Version: d.Version, Summary: d.Summary, Description: d.Description, Homepage: d.Homepage,
		License: d.License, Authors: d.Authors, Protocol: ProtocolVersion, ConfigSchema: text,
	}}
	if d.Source != nil {
		b.description.Kinds = append(b.description.Kinds, SourceKind)
	}
	if d.Harmonizer != nil {
		b.description.Kinds = append(b.description.Kinds, HarmonizerKind)
	}
	b.description.addBuildInfo()
	b.validate = func(ctx context.Context, in sdk.Instance, s Settings) []sdk.Problem {
		_, problems := d.read(ctx, b.schema, in, s)
		return problems
	}
	b.configure = func(ctx context.Context, in sdk.Instance, s Settings, kinds []Kind) (*configured, []sdk.Problem, error) {
		config, problems := d.read(ctx, b.schema, in, s)
		if len(problems) > 0 {
			return nil, problems, nil
		}
		c, err := d.setUp(ctx, in, config, kinds)
		return c, nil, err
	}
	return b, nil
}

// read decodes and checks a configuration.
func (d *Definition[C]) read(ctx context.Context, s *schema, in sdk.Instance, settings Settings) (C, []sdk.Problem) {
	var config C
	problems := decodeConfig(s, settings, &config)
	if len(problems) == 0 && d.Check != nil {
		problems = d.Check(ctx, in, config)
	}
	return config, problems
}

// setUp calls the author's functions for the kinds that are wanted; none: all.
func (d *Definition[C]) setUp(ctx context.Context, in sdk.Instance, config C, kinds []Kind) (*configured, error) {
	c := new(configured)
	wanted := func(kind Kind) bool { return len(kinds) == 0 || slices.Contains(kinds, kind) }
	var err error
	if d.Source != nil && wanted(SourceKind) {
		if c.source, c.route, err = d.Source(ctx, in, config); err != nil {
			return nil, err
		}
	}
	if d.Harmonizer != nil && wanted(HarmonizerKind) {
		if c.harmonizer, c.intake, err = d.Harmonizer(ctx, in, config); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	if c.source == nil && c.harmonizer == nil {
		return nil, fmt.Errorf("%w: it plays %v, not %v", sdk.ErrUnsupported, d.kinds(), kinds)
	}
	return c, nil
}

func (d *Definition[C]) kinds() (kinds []Kind) {
	if d.Source != nil {
		kinds = append(kinds, SourceKind)
	}
	if d.Harmonizer != nil {
		kinds = append(kinds, HarmonizerKind)
	}
	return kinds
}

// features names the optional interfaces that the harmonizer implements.
func (c *configured) features() []string {
	var names []string
	if _, ok := c.harmonizer.(sdk.RunBeginner); ok {
		names = append(names, wire.FeatureBeginRun)
	}
	if _, ok := c.harmonizer.(sdk.SupplyHarmonizer); ok {
		names = append(names, wire.FeatureSupplies)
	}
	if _, ok := c.harmonizer.(sdk.RunEnder); ok {
		names = append(names, wire.FeatureEndRun)
	}
	if _, ok := c.harmonizer.(sdk.StateDumper); ok {
		names = append(names, wire.FeatureDumpState)
	}
	return names
}

// addBuildInfo fills in what the Go tool chain knows of the binary.
func (d *Description) addBuildInfo() {
	d.SDK = SDK{Language: "go", Name: "github.com/datadis-engine/datadis/sdk"}
	info, ok := debug.ReadBuildInfo()
	if ok {
		d.Build.Toolchain = info.GoVersion
		d.SDK.Version = sdkVersion(info)
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				d.Build.Revision = setting.Value
			case "vcs.time":
				d.Build.Time = setting.Value
			case "vcs.modified":
				d.Build.Modified = setting.Value == "true"
			}
		}
		if d.Version == "" && info.Main.Version != "(devel)" {
			d.Version = info.Main.Version
		}
	}
	if d.Version == "" {
		d.Version = "0.0.0-dev"
	}
}

// sdkVersion is the version of the module that this package lies in, "" when
// the plugin is built from its tree.
func sdkVersion(info *debug.BuildInfo) string {
	const module = "github.com/datadis-engine/datadis"
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return ""
}
