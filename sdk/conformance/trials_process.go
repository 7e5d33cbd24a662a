package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

var processTrials = []trial{
	{"process.handshake", handshake},
	{"process.describe", describe},
	{"process.by-hand", byHand},
	{"process.stdin", outlivesStdin},
	{"process.sigterm", ignoresTerm},
	{"process.sigint", diesOfInterrupt},
}

// bare starts a process that is not configured.
func (c *check) bare(ctx context.Context) (*process, error) {
	w, err := c.newWorld()
	if err != nil {
		return nil, err
	}
	return c.launch(ctx, w.temp)
}

func handshake(ctx context.Context, c *check) error {
	p, err := c.bare(ctx)
	if err != nil {
		return err
	}
	c.starts = append(c.starts, time.Since(p.began))
	return nil
}

var semantic = regexp.MustCompile(`^v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)

func describe(ctx context.Context, c *check) error {
	p, err := c.bare(ctx)
	if err != nil {
		return err
	}
	var answers [3]*pb.DescribeResponse
	for i := range answers {
		if err := c.call(ctx, p, "Describe", func(ctx context.Context) (err error) {
			answers[i], err = p.Describe(ctx, &pb.DescribeRequest{})
			return err
		}); err != nil {
			return err
		}
	}
	d := answers[0]
	c.description = d
	c.report.Plugin, c.report.Version = d.GetName(), d.GetVersion()
	for _, kind := range d.GetKinds() {
		switch kind {
		case pb.Kind_KIND_SOURCE:
			c.report.Kinds = append(c.report.Kinds, kindSource)
		case pb.Kind_KIND_HARMONIZER:
			c.report.Kinds = append(c.report.Kinds, kindHarmonizer)
		}
	}
	if !proto.Equal(answers[0], answers[1]) || !proto.Equal(answers[0], answers[2]) {
		c.find("describe.unstable", "three answers are not the same")
	}
	c.checkDescription(d)
	return c.checkSchema(d.GetConfigSchema())
}

func (c *check) checkDescription(d *pb.DescribeResponse) {
	for name, missing := range map[string]bool{
		"name": d.GetName() == "", "kinds": len(c.report.Kinds) == 0, "version": d.GetVersion() == "", "summary": d.GetSummary() == "",
	} {
		if missing {
			c.find("describe.incomplete", "there is no %s", name)
		}
	}
	if d.GetVersion() != "" && !semantic.MatchString(d.GetVersion()) {
		c.find("describe.version", "%q; write it as 1.2.3", d.GetVersion())
	}
	if d.GetProtocol() != wire.ProtocolVersion {
		c.find("handshake.protocol", "Describe says version %d, the handshake %d", d.GetProtocol(), wire.ProtocolVersion)
	}
	file := filepath.Base(c.path)
	if name, ok := strings.CutPrefix(file, wire.FilePrefix); ok && name != d.GetName() {
		c.find("describe.name", "the file is %s, the plugin calls itself %q", file, d.GetName())
	}
	c.checkManifest(d)
}

// checkManifest compares what can be compared without knowing the manifest's
// writer: the fields that `engine plugins list` shows.
func (c *check) checkManifest(d *pb.DescribeResponse) {
	text, err := os.ReadFile(c.path + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var m struct {
		Name     string          `json:"name"`
		Version  string          `json:"version"`
		Kinds    []string        `json:"kinds"`
		Protocol uint32          `json:"protocol"`
		Schema   json.RawMessage `json:"config_schema"`
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	switch {
	case err != nil:
		c.find("manifest.differs", "it cannot be read: %v", err)
	case m.Name != d.GetName() || m.Version != d.GetVersion() || m.Protocol != d.GetProtocol() || !slices.Equal(m.Kinds, c.report.Kinds):
		c.find("manifest.differs", "it says %s %s, protocol %d, %v", m.Name, m.Version, m.Protocol, m.Kinds)
	case compact(m.Schema) != compact([]byte(d.GetConfigSchema())):
		c.find("manifest.differs", "its configuration schema is another")
	}
}

func compact(text []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}

func (c *check) checkSchema(text string) error {
	config, err := c.options.newConfig(text)
	if err != nil {
		return err
	}
	c.config = config
	if text != "" && c.options.CheckSchema != nil {
		if err := c.options.CheckSchema([]byte(text)); err != nil {
			c.find("describe.schema", "%v", err)
		}
	}
	for name, property := range config.schema.Properties {
		if property == nil || property.About == "" {
			c.find("describe.undocumented", "%s", name)
		}
	}
	return nil
}

func byHand(ctx context.Context, c *check) error {
	w, err := c.newWorld()
	if err != nil {
		return err
	}
	text, ended, err := c.byHand(ctx, w.temp)
	switch {
	case err != nil:
		return err
	case !ended:
		c.find("by-hand.hangs", "it did not end in %v", c.timing.Handshake)
	case strings.TrimSpace(text) == "":
		c.find("by-hand.silent", "it ended without a word")
	}
	return nil
}

func outlivesStdin(ctx context.Context, c *check) error {
	p, err := c.bare(ctx)
	if err != nil {
		return err
	}
	_ = p.stdin.Close()
	if !p.awaitExit(c.timing.Exit) {
		c.find("stdin.ignored", "it was there %v after its stdin was closed", c.timing.Exit)
	}
	return nil
}

func ignoresTerm(ctx context.Context, c *check) error {
	p, err := c.bare(ctx)
	if err != nil {
		return err
	}
	signalOne(p.pid, syscall.SIGTERM)
	if !p.awaitExit(c.timing.Exit) {
		c.find("sigterm.ignored", "it was there %v after SIGTERM", c.timing.Exit)
	}
	return nil
}

func diesOfInterrupt(ctx context.Context, c *check) error {
	p, err := c.bare(ctx)
	if err != nil {
		return err
	}
	signalOne(p.pid, syscall.SIGINT)
	err = c.call(ctx, p, "Describe", func(ctx context.Context) error {
		_, err := p.Describe(ctx, &pb.DescribeRequest{})
		return err
	})
	// The answer may have been quicker than the signal.
	if err != nil || p.awaitExit(200*time.Millisecond) {
		return finding("sigint.dies", "%s", p.ending())
	}
	return nil
}
