package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/datadis-engine/datadis/plugins/internal/users"
	"github.com/datadis-engine/datadis/sdk"
)

// source hands over the users of a file. It reads the file anew for each
// listing, and keeps no user in memory longer than it takes to send it.
type source struct {
	path   string
	logger func(context.Context) *slog.Logger // for a call
}

// ListGrants implements [sdk.Source]. A bad row does not keep the others back:
// they are sent, and the error that follows names the bad ones.
func (s *source) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	f, before, err := open(s.path)
	if err != nil {
		return sdk.Stop(err)
	}
	defer f.Close() // only read from: closing it cannot lose anything
	name, log := filepath.Base(s.path), s.logger(ctx)
	bad := users.Problems{Limit: users.MaxListed}
	for r, err := range readUsers(f) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			bad.Add(err)
			continue
		}
		for _, warning := range r.Warnings {
			log.WarnContext(ctx, "a user of the file looks wrong", "file", name, "at", r.Place, "warning", warning)
		}
		if r.WantsNothing() {
			continue
		}
		if err := send(r.Grant); err != nil {
			return err
		}
	}
	if err := bad.Join(name); err != nil {
		return sdk.Reject("bad_rows", err)
	}
	return unchanged(f, before)
}

// unchanged makes sure that nobody wrote to the file while it was read: half a
// list of users must not pass for the whole.
func unchanged(f *os.File, before os.FileInfo) error {
	after, err := f.Stat()
	if err != nil {
		return sdk.Later(fmt.Errorf("%s: looking at the file: %w", before.Name(), plain(err)), 0)
	}
	if !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
		return sdk.Later(fmt.Errorf("%s changed while it was read", before.Name()), 0)
	}
	return nil
}

// checkFile finds everything that is wrong with the file.
func checkFile(ctx context.Context, path string) []error {
	f, _, err := open(path)
	if err != nil {
		return []error{err}
	}
	defer f.Close() // only read from: closing it cannot lose anything
	bad := users.Problems{Limit: users.MaxChecked}
	for _, err := range readUsers(f) {
		if ctx.Err() != nil {
			return []error{context.Cause(ctx)}
		}
		if err != nil {
			bad.Add(err)
		}
	}
	return bad.Named(filepath.Base(path))
}

// readUsers reads CSV or JSON, whichever the first character shows. Users and
// errors come in the order of the file; an error stands for one user, or, if it
// is the last, for the rest.
func readUsers(f io.Reader) iter.Seq2[users.Row, error] {
	in := bufio.NewReaderSize(f, 64<<10)
	start, _ := in.Peek(3) // an error comes again with the first read
	if bytes.HasPrefix(start, []byte("\ufeff")) {
		_, _ = in.Discard(3) // was just peeked at
	}
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return func(yield func(users.Row, error) bool) {
			yield(users.Row{}, errors.New(`is UTF-16; save the file as "CSV UTF-8"`))
		}
	}
	if c := firstCharacter(in); c == '[' || c == '{' {
		return readJSON(in)
	}
	return readCSV(in)
}

// firstCharacter is the first one that is no white space, 0 if there is none
// within reach.
func firstCharacter(in *bufio.Reader) byte {
	start, _ := in.Peek(in.Size()) // an error comes again with the first read
	start = bytes.TrimLeft(start, " \t\r\n")
	if len(start) == 0 {
		return 0
	}
	return start[0]
}
