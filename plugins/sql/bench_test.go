package main

import (
	"log/slog"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
)

// BenchmarkListGrants lists a hundred thousand users of each server.
func BenchmarkListGrants(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...string) world{"postgres": postgresWorld, "mariadb": mariadbWorld} {
		b.Run(name, func(b *testing.B) {
			w := open(b)
			s := mustSource(b, w.config(manyUsers[w.name]), slog.DiscardHandler)
			sent := 0
			for b.Loop() {
				if err := s.ListGrants(b.Context(), func(sdk.Grant) error { sent++; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "grants/s")
		})
	}
}

// BenchmarkDecrypt lists users with encrypted passwords.
func BenchmarkDecrypt(b *testing.B) {
	text, err := password.Encrypt("the secret", "a password")
	if err != nil {
		b.Fatal(err)
	}
	w := postgresWorld(b)
	c := w.config("SELECT 'user' || n AS username, '" + text + "' AS password FROM generate_series(1, 20) n")
	c.SecretPassword = sdk.NewSecret("the secret")
	s := mustSource(b, c, slog.DiscardHandler)
	sent := 0
	for b.Loop() {
		if err := s.ListGrants(b.Context(), func(sdk.Grant) error { sent++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "grants/s")
}
