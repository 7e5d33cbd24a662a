package redisaccess

import (
	"strings"
	"testing"
)

// FuzzOpen opens any address. It never panics, and never shows the address,
// which may have a password anywhere.
func FuzzOpen(f *testing.F) {
	for _, address := range []string{
		"redis://host:6379/0", "rediss://user:hunter2hunter2@host/1?tls_server_name=x", "unix:///run/redis.sock",
		"redis+cluster://user:hunter2hunter2@a:1,b:2", "redis+sentinel://user:hunter2hunter2@a:1,b:2/0?master_name=m",
		"redis://:hunter2hunter2@:6379", "redis://host:port/0?pool_size=many", "redis://[::1", "://", "",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if strings.Contains(address, "tls_") && strings.Contains(address, "file") {
			t.Skip("it would read this machine's files")
		}
		client, err := Open(address)
		if err == nil {
			_ = client.Close()
			return
		}
		help := strings.Contains(ErrAddress.Error(), address) // what is in the help is no secret
		if !help && len(address) > 12 && strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "hunter2hunter2") {
			t.Errorf("it shows the address: %v", err)
		}
	})
}
