package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
)

// openKept opens what outlives runs, to look at it: the file of local mode, or
// the Redis of the devices queue.
func (a *app) openKept(s *settings.Settings) (store.Store, func() error, error) {
	if !s.Local().Devices {
		client, err := openRedis("redis.devices.url", s.Redis.Devices.URL)
		if err != nil {
			return nil, nil, err
		}
		return store.NewRedis(client, storePrefix), client.Close, nil
	}
	path := filepath.Join(s.DataDir, storeName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no %s: nothing was run here yet; `engine run` makes it, data_dir says where", path)
	}
	file, err := store.OpenBoltReadOnly(path)
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}

// kept does something with what outlives runs.
func (a *app) kept(do func(store.Store) error) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	kept, done, err := a.openKept(s)
	if err != nil {
		return err
	}
	return errors.Join(do(kept), done())
}

func newStatusCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the last runs: how they ended, and what came of them",
		Example: "  engine status\n  engine status --runs 3 --output json",
		Args:    cobra.NoArgs,
	}
	most := cmd.Flags().Int("runs", 10, "how many `runs` to show")
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.kept(func(kept store.Store) error {
			list, err := archive{kept}.runs(cmd.Context())
			if err != nil {
				return err
			}
			return printList(p, list[:min(*most, len(list))], statusColumns...)
		})
	}
	return cmd
}

var statusColumns = []column[summary]{
	{"RUN", func(s summary) string { return s.Run }},
	{"POLICY", func(s summary) string { return s.Policy }},
	{"OUTCOME", func(s summary) string { return cmp.Or(string(s.Outcome), "not finished") }},
	{"STARTED", func(s summary) string { return moment(s.Started) }},
	{"TOOK", func(s summary) string {
		if s.Finished.IsZero() {
			return ""
		}
		return s.Finished.Sub(s.Started).Round(time.Second / 10).String()
	}},
	{"SOURCES", func(s summary) string { return fmt.Sprint(len(s.Sources)) }},
	{"CHUNKS", func(s summary) string { return grouped(total(s, func(o sourceSummary) int64 { return o.Chunks })) }},
	{"READINGS", func(s summary) string { return grouped(total(s, func(o sourceSummary) int64 { return o.Readings })) }},
	{"REJECTED LOGINS", func(s summary) string { return grouped(s.Counts["rejected_logins"]) }},
	{"DEAD LETTERS", func(s summary) string { return grouped(s.Counts["dead_letters"]) }},
}

// total sums a column over the sources of a run.
func total(s summary, of func(sourceSummary) int64) int64 {
	var sum int64
	for _, source := range s.Sources {
		sum += of(source)
	}
	return sum
}

// moment is a time in a table; "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func newDeadCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "dead", Short: "Look at what could not be done: the dead letters"}
	cmd.AddCommand(newDeadListCommand(a))
	return cmd
}

func newDeadListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the dead letters, the latest first",
		Example: "  engine dead list\n  engine dead list --class unauthorised --output json",
		Args:    cobra.NoArgs,
	}
	class := cmd.Flags().String("class", "", "only those of a `class`")
	source := cmd.Flags().String("source", "", "only those of a `source`")
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.kept(func(kept store.Store) error {
			list, err := archive{kept}.dead(cmd.Context())
			list = slices.DeleteFunc(list, func(l deadLetter) bool {
				return *class != "" && l.Class != *class || *source != "" && !slices.Contains(l.Sources, *source)
			})
			return errors.Join(err, printList(p, list, deadColumns...))
		})
	}
	return cmd
}

var deadColumns = []column[deadLetter]{
	{"RUN", func(l deadLetter) string { return l.Run }},
	{"QUEUE", func(l deadLetter) string { return l.Queue }},
	{"ID", func(l deadLetter) string { return l.ID }},
	{"SOURCES", func(l deadLetter) string { return strings.Join(l.Sources, ",") }},
	{"CLASS", func(l deadLetter) string { return l.Class }},
	{"ATTEMPTS", func(l deadLetter) string { return fmt.Sprint(l.Attempts) }},
	{"LAST", func(l deadLetter) string { return moment(l.Last) }},
	{"REASON", func(l deadLetter) string { return l.Reason }},
}
