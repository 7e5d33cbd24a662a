package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

const (
	maxCopied = 16 << 20 // of a file beside the configuration
	instance  = "trial"
)

// world is an instance with a store of its own: its folder, and what its records
// have made of Kafka.
type world struct {
	dir     string // of the instance
	temp    string
	records map[string]string // by topic and key, the last wins
}

// newWorld makes a folder with the files that the configuration may name.
func (k *kit) newWorld() (*world, error) {
	k.worlds++
	root := filepath.Join(k.base, fmt.Sprint(k.worlds))
	w := &world{dir: filepath.Join(root, "dir"), temp: filepath.Join(root, "tmp"), records: map[string]string{}}
	for _, dir := range []string{w.dir, w.temp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder for the trial: %w", err)
		}
	}
	if k.config == nil || k.config.dir == "" {
		return w, nil
	}
	entries, err := os.ReadDir(k.config.dir)
	if err != nil {
		return nil, fmt.Errorf("read the configuration's folder: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxCopied || info.Mode().Perm()&0o111 != 0 {
			continue // no file that a configuration names
		}
		text, err := os.ReadFile(filepath.Join(k.config.dir, entry.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(w.dir, entry.Name()), text, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("copy the files beside the configuration: %w", err)
		}
	}
	return w, nil
}

func (w *world) instance() *pb.Instance {
	return &pb.Instance{Name: instance, Dir: w.dir, Temp: w.temp}
}

// stage is a configured process and its world.
type stage struct {
	*process
	*check
	world    *world
	route    *pb.Route
	topics   []string
	features []string
}

// open starts a process in the world and configures it.
func (c *check) open(ctx context.Context, w *world) (*stage, error) {
	p, err := c.launch(ctx, w.temp)
	if err != nil {
		return nil, err
	}
	s := &stage{process: p, check: c, world: w}
	err = s.call(ctx, "Configure", func(ctx context.Context) error {
		m, err := p.Configure(ctx, &pb.ConfigureRequest{Instance: w.instance(), Config: c.config.message()})
		s.route, s.topics, s.features = m.GetRoute(), m.GetIntake().GetOutputTopics(), m.GetFeatures()
		return err
	})
	var failed *callError
	if errors.As(err, &failed) {
		return nil, finding("configure.fails", "%s", failed.text())
	}
	return s, err
}

// fresh opens a process in a world of its own.
func (c *check) fresh(ctx context.Context) (*stage, error) {
	w, err := c.newWorld()
	if err != nil {
		return nil, err
	}
	if empty := c.options.EmptyStore; empty != nil {
		if err := empty(ctx); err != nil {
			return nil, fmt.Errorf("empty the store of the trial: %w", err)
		}
	}
	return c.open(ctx, w)
}

// has tells whether the instance can do more than the base.
func (s *stage) has(feature string) bool { return slices.Contains(s.features, feature) }

// state is all that the plugin has brought about, by name.
type state map[string]string

// state reads what the plugin's records, its files and its store say. Where it
// shows its store, its files are its own affair.
func (s *stage) state(ctx context.Context) (state, error) {
	all := state{}
	for name, value := range s.world.records {
		all["record "+name] = value
	}
	if s.has(wire.FeatureDumpState) {
		return all, s.call(ctx, "DumpState", func(ctx context.Context) error {
			stream, err := s.harmonizer.DumpState(ctx, &pb.DumpStateRequest{})
			for err == nil {
				var m *pb.DumpStateResponse
				if m, err = stream.Recv(); err == nil {
					all["store "+m.GetKey()] = m.GetValue()
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
	}
	return all, filepath.WalkDir(s.world.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		all["file "+strings.TrimPrefix(path, s.world.dir+"/")] = hex.EncodeToString(sum[:])
		return nil
	})
}

// difference names some of what two states do not share, "" if they are equal.
func (a state) difference(b state) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		switch value, ok := b[name]; {
		case !ok:
			names = append(names, "missing: "+name)
		case value != a[name]:
			names = append(names, "changed: "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[name]; !ok {
			names = append(names, "added: "+name)
		}
	}
	const shown = 3
	text := strings.Join(names[:min(len(names), shown)], ", ")
	if len(names) > shown {
		text += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return strings.ToValidUTF8(text, "?")
}

// take checks a result and does what its records say. Items below 0 do not limit
// what the result may name.
func (s *stage) take(m *pb.BatchResult, items int) {
	for _, r := range m.GetRecords() {
		if items >= 0 && int(r.GetItem()) >= items {
			s.find("result.item", "a record of item %d in a batch of %d", r.GetItem(), items)
		}
		if !slices.Contains(s.topics, r.GetTopic()) {
			s.find("result.topic", "a record for %q; declared are %q", r.GetTopic(), s.topics)
		}
		name := r.GetTopic() + " " + string(r.GetKey())
		if r.Value == nil {
			delete(s.world.records, name)
			continue
		}
		s.world.records[name] = string(r.GetValue())
	}
	for _, i := range m.GetItems() {
		if items >= 0 && int(i.GetItem()) >= items {
			s.find("result.item", "a verdict on item %d of %d", i.GetItem(), items)
		}
		if i.GetVerdict() == pb.Verdict_VERDICT_UNSPECIFIED || i.GetVerdict() > pb.Verdict_VERDICT_RETRY {
			s.find("result.verdict", "%d on item %d", i.GetVerdict(), i.GetItem())
		}
	}
}
