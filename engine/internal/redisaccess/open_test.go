package redisaccess_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

func TestOpenReadsEveryForm(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"redis://h", "redis://u:p@h:1/2?pool_size=3&read_timeout=2s", "unix:///run/redis.sock", "rediss://u:p%2F%40@h:1/2?tls_server_name=s",
		"redis+cluster://u:p@h:1,i:2,j:3", "redis+cluster://h:1?addr=i:2", "rediss+cluster://[::1]:1,[::1]:2",
		"redis+sentinel://u:p@h:1,i:2/3?master_name=m", "rediss+sentinel://h?master_name=m&sentinel_password=p",
	} {
		client, err := redisaccess.Open(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenShowsNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.pem")
	if err := os.WriteFile(junk, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"redis://:hunter2/x@host:1":                              "is no address",
		"redis://:hunter2@host:port":                             "is no address",
		"redis://:hunter2@host/zero":                             "is no address",
		"redis://:hunter2@one:1,two:2":                           "is no address",
		"redis://:hunter2@host?hunter2=1":                        "is no address",
		"redis+ring://:hunter2@host":                             "is no address",
		"redis+cluster://:hunter2@host:1,two":                    "is no address",
		"http://:hunter2@host":                                   "is no address",
		"redis://:hunter2@%zz":                                   "is no address",
		"redis+sentinel://:hunter2@host":                         "master_name",
		"redis://:hunter2@host?tls_ca=x":                         "rediss://",
		"rediss://:hunter2@host?tls_ca=" + dir + "/none":         "/none, which cannot be read: no such file",
		"rediss://:hunter2@host?tls_ca=" + junk:                  "holds no certificate",
		"rediss://:hunter2@host?tls_cert=" + junk:                "give both",
		"rediss://:hunter2@host?tls_key=" + junk:                 "give both",
		"rediss://:hunter2@host?tls_cert=x&tls_key=" + junk:      "no such file",
		"rediss://:hunter2@host?tls_cert=" + junk + "&tls_key=x": "tls_cert=" + junk,
	} {
		_, err := redisaccess.Open(address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
}

// check opens an address and looks at what is behind it.
func check(t *testing.T, address string) error {
	t.Helper()
	client, err := redisaccess.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return redisaccess.Check(ctx, client)
}

func refused(t *testing.T, address, want string) {
	t.Helper()
	err := check(t, address)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if u, _ := url.Parse(address); err != nil && u != nil && u.User != nil {
		if secret, _ := u.User.Password(); strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %v", err)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ours, other := certtest.New(t), certtest.New(t)
	with := func(a certtest.Authority) url.Values { return url.Values{"tls_ca": {a.CA}} }
	address := redistest.TLS(t, ours, false, with(ours))
	if err := check(t, address); err != nil {
		t.Error(err)
	}
	swap := strings.NewReplacer(url.QueryEscape(ours.CA), url.QueryEscape(other.CA))
	refused(t, swap.Replace(address), "give the right tls_ca")
	withoutCA, _, _ := strings.Cut(address, "?")
	refused(t, withoutCA, "give the right tls_ca")
	refused(t, address+"&tls_server_name=redis.example", "give tls_server_name")
	refused(t, strings.Replace(withoutCA, "rediss", "redis", 1), "write rediss://")
	if err := check(t, withoutCA+"?skip_verify=true"); err != nil {
		t.Error(err)
	}
	if err := check(t, strings.Replace(address, "127.0.0.1", "localhost", 1)); err != nil {
		t.Error(err)
	}

	mutual := redistest.TLS(t, ours, true, with(ours))
	if err := check(t, mutual+"&tls_cert="+ours.Cert+"&tls_key="+ours.Key); err != nil {
		t.Error(err)
	}
	refused(t, mutual, "give tls_cert and tls_key")
}

func TestCheckSaysWhatToDo(t *testing.T) {
	t.Parallel()
	server, guarded := redistest.Start(t), redistest.Start(t, "--requirepass", "open-sesame")
	cluster := redistest.Cluster(t)
	address := server.URL()
	refused(t, strings.Replace(address, "engine:let", "engine:lot", 1), "refuses the user or the password")
	refused(t, "redis://"+guarded.Addr(), "wants a password")
	refused(t, "redis+cluster"+strings.TrimPrefix(address, "redis"), "write redis:// in the place")
	refused(t, "rediss"+strings.TrimPrefix(address, "redis"), "if no TLS is spoken there, write redis://")
	refused(t, "redis+sentinel"+strings.TrimPrefix(address, "redis")+"?master_name=m", "master_name")
	refused(t, strings.Replace(address, server.Addr(), cluster.Addr(), 1), "write redis+cluster://")
	server.Kill()
	refused(t, address, "connection refused")
}

func TestSocketByURL(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	server := redistest.Start(t, "--unixsocket", socket)
	user, _, _ := strings.Cut(strings.TrimPrefix(server.URL(), "redis://"), "@")
	if err := check(t, "unix://"+user+"@"+socket+"?db=1"); err != nil {
		t.Error(err)
	}
}

func TestClusterByURL(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), redistest.Patience)
	defer cancel()
	a := certtest.New(t)
	for name, address := range map[string]string{
		"plain": redistest.Cluster(t).URL(),
		"TLS":   redistest.ClusterTLS(t, a, url.Values{"tls_ca": {a.CA}}),
	} {
		client, err := redisaccess.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		if err := redisaccess.Check(ctx, client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range 20 { // keys of many slots, so of all masters
			if err := client.Set(ctx, "dd:k"+strconv.Itoa(i), "v", 0).Err(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A client goes on with the new master when the old one is killed.
func TestSentinelByURL(t *testing.T) {
	t.Parallel()
	f := redistest.Sentinel(t)
	client, err := redisaccess.Open(f.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := redisaccess.Check(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(t.Context(), "dd:k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	f.Synchronise(t)
	f.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), redistest.Patience)
	defer cancel()
	for err = errors.New("none"); err != nil && ctx.Err() == nil; {
		err = client.Set(ctx, "dd:other", "v", 0).Err()
	}
	if v, err2 := client.Get(ctx, "dd:k").Result(); err != nil || err2 != nil || v != "v" {
		t.Errorf("after the failover: %q, %v, %v", v, err, err2)
	}
}
