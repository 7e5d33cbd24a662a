// Package reference makes docs/plugins/reference.md: of the comments in the
// protocol's files, of the findings of the conformance kit, and of the options
// of the plugins that are shipped.
package reference
