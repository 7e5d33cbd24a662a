package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaultFile is read where it exists and no other was asked for.
const defaultFile = "config.json"

// loader gathers the settings from their places, and what is wrong with them.
type loader struct {
	environ  environ
	settings *Settings
	fields   []field
	problems []error
	warnings []string
	files    []string // that the setting at hand refers to
}

func (l *loader) problem(where, key, message string) {
	l.problems = append(l.problems, &Problem{Where: where, Key: key, Message: message})
}

// defaults sets what every setting is before anything is read.
func (l *loader) defaults(pluginsDir string) {
	l.settings.Plugins.Paths = []string{pluginsDir}
	for _, f := range l.fields {
		if f.initial == "" {
			continue
		}
		if err := f.read(bare(f.initial, "")); err != nil {
			panic(fmt.Sprintf("settings: the default of %s: %v", f.key, err)) // a mistake in the table
		}
	}
}

// file reads the configuration file, if there is one.
func (l *loader) file(asked string) {
	name, by := l.choose(asked)
	if name == "" {
		return
	}
	text, err := readFile(name, maxFile)
	if err != nil {
		l.problem(by, "", fmt.Sprintf("the configuration %s cannot be read: %s", name, reason(err)))
		return
	}
	l.settings.file = name
	l.document(name, text)
}

// choose is the file to read, and who asked for it.
func (l *loader) choose(asked string) (name, by string) {
	if asked != "" {
		return asked, "--config"
	}
	if name := l.environ["CONF_FILE"]; name != "" {
		return name, "CONF_FILE"
	}
	if _, err := os.Stat(defaultFile); err == nil {
		return defaultFile, ""
	}
	return "", ""
}

// document takes the settings out of a file's text.
func (l *loader) document(name string, text []byte) {
	root, err := parse(text, func(line int) string { return fmt.Sprintf("%s:%d", name, line) })
	if err != nil {
		l.problems = append(l.problems, err)
		return
	}
	if root.kind != '{' {
		l.problem(root.where, "", fmt.Sprintf("is %s; the configuration is an object", root.what()))
		return
	}
	l.section(root, "", filepath.Dir(name))
}

// section walks an object down to the settings. prefix is its key with a dot,
// or "" at the top.
func (l *loader) section(n *node, prefix, dir string) {
	for _, m := range n.members {
		key := prefix + m.name
		if f := l.field(key); f != nil {
			l.set(f, m.value, dir)
			continue
		}
		switch {
		case key == "$schema": // lets editors check the file
		case !l.isSection(key):
			l.problem(m.value.where, key, "is no setting"+didYouMeanKey(key, l.names()))
		case m.value.kind != '{':
			l.problem(m.value.where, key, fmt.Sprintf("is %s; it is a section, write an object", m.value.what()))
		default:
			l.section(m.value, key+".", dir)
		}
	}
}

func (l *loader) field(key string) *field {
	for i := range l.fields {
		if l.fields[i].key == key {
			return &l.fields[i]
		}
	}
	return nil
}

func (l *loader) isSection(key string) bool {
	for _, f := range l.fields {
		if strings.HasPrefix(f.key, key+".") {
			return true
		}
	}
	return false
}

// names lists the settings and the sections.
func (l *loader) names() []string {
	var names []string
	for _, f := range l.fields {
		for i, c := range f.key {
			if c == '.' && !slices.Contains(names, f.key[:i]) {
				names = append(names, f.key[:i])
			}
		}
		names = append(names, f.key)
	}
	return names
}

// didYouMeanKey looks for a near key, and for the key in another section.
func didYouMeanKey(key string, known []string) string {
	if hint := didYouMean(key, known); hint != "" {
		return hint
	}
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, k := range known {
		if k == last || strings.HasSuffix(k, "."+last) {
			return fmt.Sprintf("; did you mean %s?", k)
		}
	}
	return ""
}

// set stores one setting. dir is what its relative paths refer to.
func (l *loader) set(f *field, n *node, dir string) {
	l.files = nil
	if err := l.resolve(f, n, dir); err != nil {
		l.problem(n.where, f.key, err.Error())
		return
	}
	if f.anchor != nil {
		f.anchor(n, dir)
	}
	if err := f.read(n); err != nil {
		for _, one := range split(err) {
			l.problem(n.where, f.key, one.Error())
		}
		return
	}
	l.settings.origins[f.key] = n.where
	l.hold(f, n)
}

// split undoes errors.Join.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // as read returned it
		return joined.Unwrap()
	}
	return []error{err}
}
