package main

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/gazetteer"
	"github.com/datadis-engine/datadis/plugins/internal/mapping"
	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/plugins/internal/route"
	"github.com/datadis-engine/datadis/sdk"
)

// Config is what config_<instance>.json may say besides "plugin".
type Config struct {
	neo4j.SourceConfig
	Sources     []string      `json:"sources" doc:"The sources whose supplies are described. Without it: the instance's own." example:"[\"sime\"]"`
	Mapping     string        `json:"mapping" doc:"The mapping to use in the place of the one that the plugin brings (print it with: datadis-plugin-sime mapping). A relative path starts at the folder of this configuration." example:"mapping.yaml"`
	Gazetteer   string        `json:"gazetteer" doc:"The table of Spanish places to use in the place of the one that the plugin brings." example:"gazetteer.csv"`
	PointsTopic string        `json:"points_topic" doc:"Kafka topic of the points. Without it: datadis.points.<instance>." example:"datadis.points.sime"`
	MissingFor  time.Duration `json:"missing_for" doc:"How long nobody may have seen a supply before a complete run takes it for cancelled. Longer than datadis.repeat_after, within which the engine does not describe a supply twice." default:"48h"`
}

//go:embed mapping.yaml
var defaultMapping []byte

const defaultMissingFor = 48 * time.Hour

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// sources are those whose supplies are taken.
func (c Config) sources(in sdk.Instance) []string {
	if len(c.Sources) == 0 {
		return []string{in.Name}
	}
	return c.Sources
}

// points is the topic of the points.
func (c Config) points(in sdk.Instance) string {
	return cmp.Or(c.PointsTopic, "datadis.points."+in.Name)
}

func (c Config) missingFor() time.Duration { return cmp.Or(c.MissingFor, defaultMissingFor) }

// Check finds what is wrong with the configuration and the files that it names.
func (c Config) Check(in sdk.Instance) []sdk.Problem {
	problems := c.SourceConfig.Check(in)
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	for i, source := range c.Sources {
		if !sourceName.MatchString(source) {
			report(fmt.Sprintf("/sources/%d", i), "%q is no name of a source: use small letters, digits, dashes and underscores", source)
		}
	}
	if topic := c.points(in); !route.ValidTopic(topic) {
		report("/points_topic", "%q is no name of a Kafka topic: use up to 249 letters, digits, dots, dashes and underscores", topic)
	}
	if c.MissingFor < 0 {
		report("/missing_for", "is negative")
	}
	if _, found := c.mapping(in); len(found) > 0 {
		for _, p := range found {
			report("/mapping", "%s", p)
		}
	}
	if _, err := c.gazetteer(in); err != nil {
		report("/gazetteer", "%s", err)
	}
	return problems
}

// mapping reads the mapping. Its problems begin with the file's name.
func (c Config) mapping(in sdk.Instance) (*mapping.Mapping, []error) {
	name, text := "the mapping that the plugin brings", defaultMapping
	if c.Mapping != "" {
		name = filepath.Base(c.Mapping)
		var err error
		if text, err = readFile(in.Path(c.Mapping)); err != nil {
			return nil, []error{err}
		}
	}
	m, problems := mapping.Parse(text)
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("%s %w", name, p))
	}
	return m, errs
}

// gazetteer reads the table of places.
func (c Config) gazetteer(in sdk.Instance) (*gazetteer.Table, error) {
	if c.Gazetteer == "" {
		return gazetteer.Embedded()
	}
	f, err := os.Open(in.Path(c.Gazetteer))
	if err != nil {
		return nil, fmt.Errorf("opening the gazetteer: %w", err)
	}
	defer f.Close() // only read from: closing it cannot lose anything
	table, err := gazetteer.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(c.Gazetteer), err)
	}
	return table, nil
}

// maxMapping bounds what a file named by mistake can cost.
const maxMapping = 4 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the mapping: %w", err)
	}
	defer f.Close() // only read from: closing it cannot lose anything
	text, err := io.ReadAll(io.LimitReader(f, maxMapping+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the mapping: %w", err)
	case len(text) > maxMapping:
		return nil, errors.New("the mapping is larger than 4 MiB")
	}
	return text, nil
}

// printMapping prints the mapping that the plugin brings, to be copied and
// changed.
func printMapping(to io.Writer, _ []string) error {
	_, err := to.Write(defaultMapping)
	return err
}

// importGazetteer makes a gazetteer of GeoNames' dumps.
func importGazetteer(to io.Writer, paths []string) error {
	if len(paths) < 1 || len(paths) > 2 {
		return errors.New("usage: datadis-plugin-sime gazetteer ES.txt [alternateNamesV2.txt] >gazetteer.csv")
	}
	var files [2]io.Reader
	for i, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close() // only read from: closing it cannot lose anything
		files[i] = f
	}
	places, err := gazetteer.Import(files[0], files[1])
	if err != nil {
		return err
	}
	return gazetteer.Write(to, places)
}
