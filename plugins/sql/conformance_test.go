package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/sdk/conformance"
	"github.com/datadis-engine/datadis/sdk/password"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// TestConformance tries the binary as the engine would run it, on more users
// than go into one message, of each server.
func TestConformance(t *testing.T) {
	t.Parallel()
	queries := map[string]string{
		"postgres": "SELECT n AS key, 'user' || n AS username, 'pw' || repeat(n::text, 20) AS password, 'X1234567L' AS authorized_nifs FROM generate_series(1, 1200) n ORDER BY n",
		"mariadb":  "SELECT seq AS `key`, CONCAT('user', seq) AS username, CONCAT('pw', REPEAT(seq, 20)) AS password, 'X1234567L' AS authorized_nifs FROM seq_1_to_1200 ORDER BY seq",
	}
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t)
		conforms(t, w, map[string]any{"query": queries[w.name]})
	})
}

// TestConformanceOfEncryptedPasswords has the kit look for the secret as well.
func TestConformanceOfEncryptedPasswords(t *testing.T) {
	t.Parallel()
	const secret = "the secret of the passwords"
	encrypted, err := password.Encrypt(secret, "a password that nobody may see")
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, postgresWorld(t), map[string]any{
		"secret_password": secret, "query": "SELECT 'B00000000' AS username, '" + encrypted + "' AS password",
	})
}

// conforms tries the binary with a configuration that reads from the world.
func conforms(t *testing.T, w world, config map[string]any) {
	t.Helper()
	config["plugin"], config["url"], config["ca_file"] = "sql", w.url, w.caFile
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config_trial.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sdktest.Conformance(t, sdktest.Build(t, ".", "sql"), conformance.Options{Config: path})
}
