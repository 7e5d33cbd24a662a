package neo4j

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/plugins/internal/users"
)

// properties are the names in the graph of the columns that have another one.
var properties = map[string]string{"password": "Password"}

func propertyOf(column string) string {
	if name := properties[column]; name != "" {
		return name
	}
	return column
}

// textOf is a property as a text, "" if there is none.
func textOf(r Row, column string) (string, error) {
	switch v := r[column].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	default:
		return "", fmt.Errorf("%s is %s, not a text", propertyOf(column), kindOf(v))
	}
}

// textsOf is a property that is a list of texts, or one text with ; between its
// entries.
func textsOf(r Row, column string) ([]string, error) {
	switch v := r[column].(type) {
	case nil:
		return nil, nil
	case string:
		return users.SplitCell(v), nil
	case []any:
		texts := make([]string, len(v))
		for i, e := range v {
			text, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("%s holds %s, not only texts", propertyOf(column), kindOf(e))
			}
			texts[i] = strings.TrimSpace(text)
		}
		return texts, nil
	default:
		return nil, fmt.Errorf("%s is %s, not a list of texts", propertyOf(column), kindOf(v))
	}
}

// kindOf says what a value is, in words.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case []any:
		return "a list"
	default:
		return fmt.Sprintf("a %T", v)
	}
}
