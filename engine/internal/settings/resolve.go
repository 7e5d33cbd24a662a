package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Larger files are no configuration and no secret.
const (
	maxFile   = 4 << 20
	maxSecret = 256 << 10
)

// anchor makes relative paths relative to the working directory.
func anchor(n *node, dir string) {
	if n.kind == '"' && n.text != "" && !filepath.IsAbs(n.text) && !n.plain {
		n.text = filepath.Join(dir, n.text)
	}
	for _, item := range n.items {
		anchor(item, dir)
	}
}

// resolve puts the content of files and variables in the place of references
// to them, wherever the setting holds texts: in itself, in its entries, and in
// the members of those.
func (l *loader) resolve(f *field, n *node, dir string) error {
	if f.kind.textual {
		return l.reference(n, dir)
	}
	inner := make([]*node, 0, len(n.items)+len(n.members))
	for _, item := range n.items {
		inner = append(inner, item)
		for _, m := range item.members {
			inner = append(inner, m.value)
		}
	}
	for _, m := range n.members {
		inner = append(inner, m.value)
	}
	for _, one := range inner {
		if err := l.reference(one, dir); err != nil {
			return err
		}
	}
	return nil
}

// reference replaces {"file": …} and {"env": …}; anything else stays.
func (l *loader) reference(n *node, dir string) error {
	if n.kind != '{' || len(n.members) != 1 || n.members[0].value.kind != '"' {
		return nil
	}
	name, target := n.members[0].name, n.members[0].value.text
	var content string
	switch name {
	case "env":
		content = l.environ[target]
		if content == "" {
			return fmt.Errorf("the environment variable %s is not set", target)
		}
	case "file":
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		text, err := readFile(target, maxSecret)
		if err != nil {
			return fmt.Errorf("the file %s cannot be read: %s", target, reason(err))
		}
		l.files = append(l.files, target)
		content = strings.TrimRight(string(text), "\r\n")
		if content == "" {
			return fmt.Errorf("the file %s is empty", target)
		}
	default:
		return nil
	}
	*n = node{kind: '"', text: content, where: n.where, hidden: true}
	return nil
}

var errTooLarge = errors.New("it is too large")

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errTooLarge
	}
	return text, err
}

// reason is an error without the path that the sentence has already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
