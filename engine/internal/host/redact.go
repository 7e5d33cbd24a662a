package host

import (
	"encoding/json"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

const (
	hidden = "***"
	// shortest is how long a secret must be to be looked for: the letter "a"
	// would be found in every line.
	shortest = 4
)

// newRedactor hides an instance's secrets in what its process writes, as they
// are and as JSON spells them.
func newRedactor(secrets map[string]sdk.Secret) *strings.Replacer {
	var pairs []string
	for _, secret := range secrets {
		text := secret.Reveal()
		if len(text) < shortest {
			continue
		}
		pairs = append(pairs, text, hidden)
		if spelled, err := json.Marshal(text); err == nil {
			if inner := string(spelled[1 : len(spelled)-1]); inner != text {
				pairs = append(pairs, inner, hidden)
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// redactAll hides secrets in a decoded JSON value.
func redactAll(value any, redact *strings.Replacer) any {
	switch typed := value.(type) {
	case string:
		return redact.Replace(typed)
	case []any:
		for i, inner := range typed {
			typed[i] = redactAll(inner, redact)
		}
	case map[string]any:
		hidden := make(map[string]any, len(typed))
		for key, inner := range typed {
			hidden[redact.Replace(key)] = redactAll(inner, redact)
		}
		return hidden
	}
	return value
}
