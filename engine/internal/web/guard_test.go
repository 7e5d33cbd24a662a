package web_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/web"
	"github.com/datadis-engine/datadis/sdk"
)

func TestWhoMaySeeWhat(t *testing.T) {
	t.Parallel()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+token))
	everything := []string{"/livez", "/readyz", "/metrics", "/", "/api/v1/status", "/style.css"}
	for name, c := range map[string]struct {
		access web.Access
		auth   string
		open   int // how many of them are answered
		refuse int // the status of the others
	}{
		"loopback without a token":      {web.Access{Loopback: true}, "", 6, 0},
		"loopback, the token missing":   {web.Access{Loopback: true, Token: sdk.NewSecret(token)}, "", 2, 401},
		"beyond, without a token":       {web.Access{}, "", 2, 403},
		"beyond, nothing to send it to": {web.Access{}, "Bearer " + token, 2, 403},
		"beyond, an empty token":        {web.Access{}, "Bearer ", 2, 403},
		"beyond, the token missing":     {web.Access{Token: sdk.NewSecret(token)}, "", 2, 401},
		"beyond, the token wrong":       {web.Access{Token: sdk.NewSecret(token)}, "Bearer " + token + "x", 2, 401},
		"beyond, another scheme":        {web.Access{Token: sdk.NewSecret(token)}, "Digest " + token, 2, 401},
		"beyond, with the token":        {web.Access{Token: sdk.NewSecret(token)}, "bearer " + token, 6, 0},
		"beyond, as a browser":          {web.Access{Token: sdk.NewSecret(token)}, basic, 6, 0},
		"metrics open":                  {web.Access{Open: web.Metrics}, "", 3, 403},
		"metrics open, the token wrong": {web.Access{Open: web.Metrics, Token: sdk.NewSecret(token)}, "Bearer x", 3, 401},
		"all open":                      {web.Access{Open: web.All}, "", 6, 0},
	} {
		h := web.Handler(config(busy(), well()), c.access)
		for i, path := range everything {
			got := get(t, h, path, "Authorization", c.auth)
			want := http.StatusOK
			if i >= c.open {
				want = c.refuse
			}
			if got.status != want {
				t.Errorf("%s: %s answers %d, want %d", name, path, got.status, want)
			}
			if want == http.StatusUnauthorized && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s: a browser is not asked for the token", name)
			}
			if strings.Contains(got.body, token) {
				t.Errorf("%s: %s shows the token", name, path)
			}
		}
	}
}

// A page of somebody else must not reach the engine through the browser of
// somebody who may.
func TestOtherNamesAreNotAnsweredOnLoopback(t *testing.T) {
	t.Parallel()
	loopback := web.Handler(config(busy(), well()), web.Access{Loopback: true})
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "LOCALHOST": 200, "[::1]:8080": 200, "127.8.8.8": 200,
		"rebound.example:8080": 421, "localhost.example": 421, "10.0.0.1": 421, "": 421, "127.0.0.1.example": 421,
	} {
		if got := get(t, loopback, "/api/v1/status", "Host", host).status; got != want {
			t.Errorf("host %q answers %d, want %d", host, got, want)
		}
	}
	if got := get(t, web.Handler(config(busy(), well()), web.Access{Open: web.All}), "/", "Host", "engine.example").status; got != 200 {
		t.Errorf("beyond loopback every name is right, got %d", got)
	}
}

func TestEverythingIsReadOnly(t *testing.T) {
	t.Parallel()
	o := busy()
	h := web.Handler(config(o, well()), web.Access{Loopback: true})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"} {
		for _, path := range []string{"/", "/api/v1/dead/retry", "/api/v1/dead", "/metrics"} {
			got := do(t, h, method, path, "Origin", "https://elsewhere.example")
			if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s answers %d", method, path, got.status)
			}
		}
	}
	if len(o.acted) > 0 {
		t.Errorf("something was done: %v", o.acted)
	}
	if got := do(t, h, "HEAD", "/api/v1/status"); got.status != http.StatusOK {
		t.Errorf("HEAD answers %d", got.status)
	}
}

func TestHeadersKeepBrowsersFromDoingMore(t *testing.T) {
	t.Parallel()
	h := web.Handler(config(busy(), well()), web.Access{Loopback: true})
	for _, path := range []string{"/", "/api/v1/dead", "/readyz", "/nothing"} {
		got := get(t, h, path, "Origin", "https://elsewhere.example").header
		if !strings.Contains(got.Get("Content-Security-Policy"), "default-src 'none'") || got.Get("X-Content-Type-Options") != "nosniff" ||
			got.Get("Cache-Control") != "no-store" || got.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, got)
		}
		if got.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by other pages", path)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:80": true, "[::1]:8080": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:8080": false, "engine:8080": false,
	} {
		if web.IsLoopback(address) != want {
			t.Errorf("%s: %t", address, !want)
		}
	}
}
