package web_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/engine/internal/web"
)

func serveSocket(t *testing.T, dir string, o *office) *web.Server {
	t.Helper()
	server, err := web.ServeSocket(t.Context(), dir, web.Private(config(o, well()), o), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func closed(t *testing.T, s *web.Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

const busyState = ledger.Complete

func dial(t *testing.T, dir string) *web.Client {
	t.Helper()
	client, err := web.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestCommandsAskOnTheSocket(t *testing.T) {
	t.Parallel()
	dir, o := t.TempDir(), busy()
	if _, err := web.Dial(t.Context(), dir); !errors.Is(err, web.ErrNobody) {
		t.Fatalf("nobody is there: %v", err)
	}
	server := serveSocket(t, dir, o)
	info, err := os.Stat(server.Address())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	client, ctx := dial(t, dir), t.Context()
	status, err := client.Status(ctx)
	if err != nil || len(status.Runs) != 2 || !status.Runs[0].Started.Equal(started) {
		t.Errorf("status %+v, %v", status, err)
	}
	report, err := client.Coverage(ctx, coverage.Request{Clear: true})
	if err != nil || report.Rows[0].CUPS != cups || report.Rows[0].Cells[0].State != busyState {
		t.Errorf("coverage %+v, %v", report, err)
	}
	letters, err := client.Letters(ctx, view.LetterFilter{CUPS: cups})
	if err != nil || len(letters) != 1 || letters[0].ID != cups || letters[0].Body == "" {
		t.Errorf("letters %+v, %v", letters, err)
	}
	accounts, err := client.Accounts(ctx)
	if err != nil || len(accounts) != 1 {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
	if acted, err := client.Retry(ctx, view.LetterFilter{CUPS: cups}); err != nil || len(acted) != 1 || acted[0].Became != "handed_over" {
		t.Errorf("retried %+v, %v", acted, err)
	}
	if acted, err := client.Drop(ctx, view.LetterFilter{Class: "schema"}); err != nil || len(acted) != 1 || acted[0].Became != "dropped" {
		t.Errorf("dropped %+v, %v", acted, err)
	}
	if done, err := client.Steer(ctx, view.Order{Action: view.Pause, Account: "a1"}); err != nil || done.Action != view.Pause || done.Account != "a1" {
		t.Errorf("steered %+v, %v", done, err)
	}
	var refusal view.Refusal
	if _, err := client.Steer(ctx, view.Order{Action: view.Pause, Run: "none"}); !errors.As(err, &refusal) || refusal != "no run none is under way" {
		t.Errorf("an order that cannot be followed: %v", err)
	}
	o.err = errors.New("the file is damaged")
	if _, err := client.Letters(ctx, view.LetterFilter{}); err == nil || !strings.Contains(err.Error(), "the file is damaged") {
		t.Errorf("what went wrong there: %v", err)
	}
	closed(t, server)
	if _, err := os.Stat(server.Address()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := web.Dial(ctx, dir); !errors.Is(err, web.ErrNobody) {
		t.Errorf("after the end: %v", err)
	}
}

// A process that was killed leaves its socket: it is nobody's, and the next one
// takes its place.
func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, err := web.SocketPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := web.Dial(t.Context(), dir); !errors.Is(err, web.ErrNobody) {
		t.Errorf("a stale socket: %v", err)
	}
	server := serveSocket(t, dir, busy())
	if _, err := dial(t, dir).Status(t.Context()); err != nil {
		t.Error(err)
	}
	closed(t, server)
}

func TestSecondProcessLeavesTheFirstAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serveSocket(t, dir, busy())
	_, err := web.ServeSocket(t.Context(), dir, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if !errors.Is(err, web.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := dial(t, dir).Status(t.Context()); err != nil {
		t.Errorf("the first: %v", err)
	}
	closed(t, first)
}

// Paths of sockets may not be long; those of folders may.
func TestLongDataFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), strings.Repeat("longer", 20))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	server := serveSocket(t, dir, busy())
	t.Cleanup(func() { _ = os.Remove(filepath.Dir(server.Address())) })
	if len(server.Address()) > 104 {
		t.Errorf("the socket is %s", server.Address())
	}
	if info, err := os.Stat(filepath.Dir(server.Address())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v, %v", info, err)
	}
	if _, err := dial(t, dir).Status(t.Context()); err != nil {
		t.Error(err)
	}
	closed(t, server)
}

// Among the temporary files, somebody else may have made the folder first.
func TestFolderOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("other", 30))
	path, err := web.SocketPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(path)) })
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := web.ServeSocket(t.Context(), dir, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "data_dir") {
		t.Errorf("a folder that others can write to: %v", err)
	}
}

func TestBusyAddress(t *testing.T) {
	t.Parallel()
	l, err := web.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := web.Listen(l.Addr().String()); !errors.Is(err, web.ErrBusy) {
		t.Errorf("a busy address: %v", err)
	}
}
