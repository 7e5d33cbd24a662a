package neo4j

import (
	"os"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
)

func TestMain(m *testing.M) { os.Exit(neo4jtest.Run(m)) }
