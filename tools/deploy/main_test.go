package deploy

import (
	"os"
	"testing"

	"github.com/datadis-engine/datadis/tools/deploy/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	code := m.Run()
	removeImage()
	os.Exit(code)
}
