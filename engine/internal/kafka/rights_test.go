package kafka_test

import (
	"os"
	"slices"
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
	w, inside := secured(t, s.Connection()), secured(t, s.Inside())
	ensure := func(w *world, topic string) error {
		return w.admin().EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.DataTopic(topic)})
	}
	refused := func(topic string) {
		t.Helper()
		if err := ensure(w, topic); err == nil || !strings.Contains(err.Error(), "give it the rights that docs/servers.md lists") {
			t.Errorf("%s: got %v", topic, err)
		}
	}
	if err := ensure(inside, "datadis.theirs"); err != nil {
		t.Fatal(err)
	}
	refused("datadis.theirs")
	var fewer []kafkatest.Right
	for _, right := range rights {
		right.Operations = slices.DeleteFunc(slices.Clone(right.Operations), func(o string) bool { return o == "Create" })
		fewer = append(fewer, right)
	}
	s.Allow(t, fewer...)
	if err := ensure(w, "datadis.theirs"); err != nil {
		t.Errorf("a topic that is there already: %v", err)
	}
	refused("datadis.ours")
	s.Allow(t, rights...)
	w.uses()
	refused("other")
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
