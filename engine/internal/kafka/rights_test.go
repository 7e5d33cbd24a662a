package kafka_test

import (
	"os"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
)

// rights are what docs/servers.md asks for.
var rights = []kafkatest.Right{
	{Resource: "topic", Prefix: "datadis.", Operations: []string{"Create", "Describe", "DescribeConfigs", "Read", "Write"}},
	{Resource: "group", Prefix: "datadis.", Operations: []string{"Describe", "Read"}},
}

// The rights that the documentation lists suffice, and without them the error
// says where they are listed.
func TestRightsSuffice(t *testing.T) {
	t.Parallel()
	s := kafkatest.Start(t, kafkatest.Secure(certtest.New(t), kafkatest.Scram), kafkatest.Guarded())
	w := secured(t, s.Connection())
	err := w.admin().EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.DataTopic("datadis.x")})
	if err == nil || !strings.Contains(err.Error(), "give it the rights that docs/servers.md lists") {
		t.Errorf("without rights: %v", err)
	}
	s.Allow(t, rights...)
	w.uses()
	// Other topics stay closed.
	err = w.admin().EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.DataTopic("other")})
	if err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("another topic: %v", err)
	}
}

func TestRightsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, right := range rights {
		line := "--" + right.Resource + " " + right.Prefix
		for _, operation := range right.Operations {
			line += " --operation " + operation
		}
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/servers.md lacks %s", line)
		}
	}
}
