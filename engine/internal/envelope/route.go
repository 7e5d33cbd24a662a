package envelope

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/sdk"
)

var (
	topicName   = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	periodField = regexp.MustCompile(`^(datetime|maxPower|reactiveEnergy)_period_`)
	rowFields   = []string{
		"cups", "datetime", "timestamp", "end", "flags", "freq", "prop", "readings",
		"consumptionKWh", "obtainMethod", "surplusEnergyKWh", "generationEnergyKWh", "selfConsumptionEnergyKWh",
	}
)

// CheckRoute lists what is wrong with a route: [Chunk] accepts the routes that
// pass. Extra fields must not be named like a row's own.
func CheckRoute(route sdk.Route) error {
	var problems []error
	problems = append(problems, CheckTopic(route.Topic))
	if len(route.Tables) != len(route.RowKeys) {
		problems = append(problems, fmt.Errorf("row_keys: %d for %d tables; each table has one list of fields",
			len(route.RowKeys), len(route.Tables)))
	}
	for name, value := range route.Extra {
		switch {
		case slices.Contains(rowFields, name) || periodField.MatchString(name):
			problems = append(problems, fmt.Errorf("extra: %q is a field of the row itself", name))
		case name == "" || !utf8.ValidString(name) || !utf8.ValidString(value):
			problems = append(problems, fmt.Errorf("extra: %q is no name and text that JSON can hold", name))
		}
	}
	return errors.Join(problems...)
}

// CheckTopic says that a name is none that a Kafka topic can have.
func CheckTopic(name string) error {
	if !topicName.MatchString(name) || name == "." || name == ".." {
		return fmt.Errorf("topic: %q is no name of a Kafka topic", name)
	}
	return nil
}

// filler fills the templates of a route.
func filler(c *sdk.Chunk) *strings.Replacer {
	return strings.NewReplacer(
		"{cups}", string(c.CUPS), "{prop}", string(c.Series.Property), "{freq}", string(c.Series.Resolution))
}

// appendExtra appends the constant fields of a route, in the order of their
// names, each with a comma before it.
func appendExtra(to []byte, extra map[string]string, fill *strings.Replacer) []byte {
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		to = append(to, ',')
		to = appendText(to, name)
		to = append(to, ':')
		to = appendText(to, fill.Replace(extra[name]))
	}
	return to
}
