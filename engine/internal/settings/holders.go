package settings

import (
	"slices"
	"strings"
)

// hold notes which files a setting's secrets were read from. Of the setting that
// outweighs another one, only its own files count, but files may be named that
// are read for nothing: they hold a secret all the same.
func (l *loader) hold(f *field, n *node) {
	if !strings.Contains(f.kind.name, "secret") && f.key != connectionKey {
		return
	}
	files := l.files
	if own := l.settings.file; own != "" && strings.HasPrefix(n.where, own+":") && f.inline(n) {
		files = append(files, own)
	}
	for _, file := range files {
		if !slices.Contains(l.settings.holders, file) {
			l.settings.holders = append(l.settings.holders, file)
		}
	}
}

// inline tells whether a secret was written in the place of the setting itself.
func (f *field) inline(n *node) bool {
	switch n.kind {
	case '{':
		return slices.ContainsFunc(n.members, func(m member) bool { return isSecretName(m.name) && !m.value.hidden })
	case '[':
		return slices.ContainsFunc(n.items, func(item *node) bool {
			key := item.member("key")
			return key != nil && !key.hidden
		})
	default:
		return !n.hidden && (f.kind.name != urlKind.name || strings.Contains(NewURL(n.text).String(), masked))
	}
}
