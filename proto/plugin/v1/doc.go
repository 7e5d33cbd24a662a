// Package pluginv1 is what a plugin says on the wire, generated from the .proto
// files beside it. Authors of plugins in Go use package sdk/plugin instead.
package pluginv1
