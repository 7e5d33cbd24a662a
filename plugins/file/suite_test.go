package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

func TestTheSuiteOfAllSources(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"users.csv": "username,password,authorized_nifs,self,cups\n" +
			"B00000000,pw1,12345678Z;87654321X,true,\nB11111111,pw2,,true,ES0031000000000001JN0F\n",
		"users.json": `[{"username": "B00000000", "password": "pw1", "self": true}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sdktest.Source(t, func(t *testing.T) sdk.Source {
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return &source{path: path, log: slog.New(slog.DiscardHandler)}
			})
		})
	}
}
