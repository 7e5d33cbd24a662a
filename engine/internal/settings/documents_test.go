package settings

import (
	"encoding/json"
	"strings"
	"testing"
)

// docs is the folder of the documents that are made from the settings.
const docs = "../../../docs/"

func TestDocumentsAreCurrent(t *testing.T) {
	t.Parallel()
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, docs+"config.schema.json", string(schema))
	compare(t, docs+"configuration.md", string(Reference()))
}

// The schema and the loader must agree on what a setting is called.
func TestSchemaNamesEverySetting(t *testing.T) {
	t.Parallel()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, f := range new(Settings).fields() {
		at := schema
		for _, name := range strings.Split(f.key, ".") {
			properties, _ := at["properties"].(map[string]any)
			if at, _ = properties[name].(map[string]any); at == nil {
				t.Errorf("the schema lacks %s", f.key)
				break
			}
		}
		if at != nil && at["description"] != f.meaning {
			t.Errorf("the schema describes %s as %v", f.key, at["description"])
		}
	}
}
