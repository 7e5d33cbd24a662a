package settings

import "strings"

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Where   string // "config.json:3", an environment variable or a flag; "" if nowhere
	Key     string // dotted; "" if the file itself is wrong
	Message string // what is wrong and how to mend it; no secrets
}

// Error implements error.
func (p *Problem) Error() string {
	var b strings.Builder
	for _, part := range []string{p.Where, p.Key} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(p.Message)
	return b.String()
}
