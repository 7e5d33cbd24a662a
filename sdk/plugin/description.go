package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

// Description is what a plugin says about itself, and what the manifest beside
// its binary holds.
type Description struct {
	Name         string          `json:"name"`
	Kinds        []Kind          `json:"kinds"`
	Version      string          `json:"version"`
	Summary      string          `json:"summary,omitempty"`
	Description  string          `json:"description,omitempty"`
	Homepage     string          `json:"homepage,omitempty"`
	License      string          `json:"license,omitempty"`
	Authors      []string        `json:"authors,omitempty"`
	Protocol     int             `json:"protocol"`
	Features     []string        `json:"features,omitempty"`
	ConfigSchema json.RawMessage `json:"config_schema,omitempty"`
	SDK          SDK             `json:"sdk"`
	Build        Build           `json:"build"`
}

// SDK is what a plugin was written with.
type SDK struct {
	Language string `json:"language,omitempty"`
	Name     string `json:"name,omitempty"`
	Version  string `json:"version,omitempty"`
}

// Build says where a binary comes from, as far as it knows.
type Build struct {
	Revision  string `json:"revision,omitempty"`
	Time      string `json:"time,omitempty"`
	Modified  bool   `json:"modified,omitempty"`
	Toolchain string `json:"toolchain,omitempty"`
}

// Plays tells whether the plugin has the role.
func (d *Description) Plays(kind Kind) bool { return slices.Contains(d.Kinds, kind) }

// Manifest is the text of the file beside the binary.
func (d *Description) Manifest() ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", d.Name, err)
	}
	return append(text, '\n'), nil
}

// ParseManifest reads what Manifest wrote.
func ParseManifest(text []byte) (*Description, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	d := new(Description)
	if err := decoder.Decode(d); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if d.Name == "" || len(d.Kinds) == 0 || d.Protocol == 0 {
		return nil, fmt.Errorf("manifest: name, kinds or protocol is missing")
	}
	return d, nil
}

// Differs names the first thing in which the other description differs, "" if
// there is none. Where the binaries were built does not count.
func (d *Description) Differs(other *Description) string {
	mine, theirs := fields(d), fields(other)
	for _, key := range descriptionFields {
		if !bytes.Equal(mine[key], theirs[key]) {
			return key
		}
	}
	return ""
}

var descriptionFields = []string{"name", "kinds", "version", "protocol", "features", "config_schema",
	"summary", "description", "homepage", "license", "authors"}

// fields is the description as JSON, compact, by field.
func fields(d *Description) map[string]json.RawMessage {
	text, err := json.Marshal(d)
	if err != nil {
		return nil // a schema that is no JSON differs from every other
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return nil
	}
	return m
}

var kindsToWire = map[Kind]pb.Kind{SourceKind: pb.Kind_KIND_SOURCE, HarmonizerKind: pb.Kind_KIND_HARMONIZER}

var kindsFromWire = map[pb.Kind]Kind{pb.Kind_KIND_SOURCE: SourceKind, pb.Kind_KIND_HARMONIZER: HarmonizerKind}

// translate maps the words that both ends know, and leaves the others out.
func translate[A comparable, B any](words []A, dictionary map[A]B) []B {
	var known []B
	for _, word := range words {
		if other, ok := dictionary[word]; ok {
			known = append(known, other)
		}
	}
	return known
}

func (d *Description) toWire() *pb.DescribeResponse {
	return &pb.DescribeResponse{
		Name: d.Name, Kinds: translate(d.Kinds, kindsToWire), Version: d.Version, Summary: d.Summary,
		Description: d.Description, Homepage: d.Homepage, License: d.License, Authors: d.Authors,
		Protocol: uint32(d.Protocol), Features: d.Features, ConfigSchema: string(d.ConfigSchema),
		Sdk: &pb.Sdk{Language: d.SDK.Language, Name: d.SDK.Name, Version: d.SDK.Version},
		Build: &pb.Build{Revision: d.Build.Revision, Time: d.Build.Time, Modified: d.Build.Modified,
			Toolchain: d.Build.Toolchain},
	}
}

func descriptionFromWire(m *pb.DescribeResponse) *Description {
	return &Description{
		Name: m.GetName(), Kinds: translate(m.GetKinds(), kindsFromWire), Version: m.GetVersion(),
		Summary: m.GetSummary(), Description: m.GetDescription(), Homepage: m.GetHomepage(),
		License: m.GetLicense(), Authors: m.GetAuthors(), Protocol: int(m.GetProtocol()),
		Features: m.GetFeatures(), ConfigSchema: rawJSON(m.GetConfigSchema()),
		SDK: SDK{Language: m.GetSdk().GetLanguage(), Name: m.GetSdk().GetName(), Version: m.GetSdk().GetVersion()},
		Build: Build{Revision: m.GetBuild().GetRevision(), Time: m.GetBuild().GetTime(),
			Modified: m.GetBuild().GetModified(), Toolchain: m.GetBuild().GetToolchain()},
	}
}

func rawJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
