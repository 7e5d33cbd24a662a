package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Client asks the process that works on a data folder. It answers as a Desk
// does, and acts.
type Client struct {
	http *http.Client
	path string
}

// ErrNobody says that no process works on the data folder.
var ErrNobody = errors.New("no engine is running on this data folder")

// Dial connects to the process that works on a data folder. It fails with
// ErrNobody if there is none, also if one has left its socket behind.
func Dial(ctx context.Context, dataDir string) (*Client, error) {
	path, err := SocketPath(dataDir)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: socketAnswer}
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNobody
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("an engine of another user works on this data folder: %w", err)
	case err != nil:
		return nil, fmt.Errorf("ask the running engine: %w", err)
	}
	_ = conn.Close() // it was only to see
	if abs, err := filepath.Abs(dataDir); err == nil && filepath.Dir(path) != abs {
		if err := checkOwner(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", path)
	}}
	return &Client{http: &http.Client{Transport: transport}, path: path}, nil
}

// Close gives the connection back.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Status implements Desk.
func (c *Client) Status(ctx context.Context) (view.Status, error) {
	return ask[view.Status](ctx, c, "status", nil)
}

// Accounts implements Desk.
func (c *Client) Accounts(ctx context.Context) ([]view.Account, error) {
	return ask[[]view.Account](ctx, c, "accounts", nil)
}

// Coverage implements Desk.
func (c *Client) Coverage(ctx context.Context, r coverage.Request) (coverage.Report, error) {
	return ask[coverage.Report](ctx, c, "coverage", r)
}

// Letters implements Desk.
func (c *Client) Letters(ctx context.Context, f view.LetterFilter) ([]view.Letter, error) {
	return ask[[]view.Letter](ctx, c, "dead", f)
}

// Retry implements Actions.
func (c *Client) Retry(ctx context.Context, f view.LetterFilter) ([]view.Acted, error) {
	return ask[[]view.Acted](ctx, c, "dead/retry", f)
}

// Drop implements Actions.
func (c *Client) Drop(ctx context.Context, f view.LetterFilter) ([]view.Acted, error) {
	return ask[[]view.Acted](ctx, c, "dead/drop", f)
}

// Steer implements Actions.
func (c *Client) Steer(ctx context.Context, o view.Order) (view.Steered, error) {
	return ask[view.Steered](ctx, c, "runs/steer", o)
}

// ask gets, or, where there is something to send, posts.
func ask[T any](ctx context.Context, c *Client, path string, send any) (T, error) {
	var answer T
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return answer, fmt.Errorf("ask the running engine: %w", err)
		}
		method, body = http.MethodPost, bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine/api/v1/"+path, body)
	if err != nil {
		return answer, fmt.Errorf("ask the running engine: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer, fmt.Errorf("ask the running engine: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var p problem
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil || p.Error == "" {
			p.Error = res.Status
		}
		if res.StatusCode == http.StatusConflict {
			return answer, view.Refusal(p.Error)
		}
		return answer, fmt.Errorf("the running engine says: %s", p.Error)
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read what the running engine says: %w", err)
	}
	return answer, nil
}
