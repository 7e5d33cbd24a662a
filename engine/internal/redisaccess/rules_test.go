package redisaccess_test

import (
	"os"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
)

// What the documentation tells people to write is what the tests run with.
func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rules := range [][]string{redisaccess.Rules(), redisaccess.SentinelRules()} {
		line := "\n    user engine on >PASSWORD " + strings.Join(rules, " ") + "\n"
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/servers.md lacks%s", line)
		}
	}
}
