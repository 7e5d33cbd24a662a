// Package datadis carries the source of the SDK, so that the engine can write it
// into a new plugin's folder: a plugin is built without waiting for a release.
package datadis

import "embed"

// SDK holds the packages that a plugin is built with, as they lie in this
// repository, and the versions of what they need. Tests are in it too.
//
//go:embed go.mod go.sum LICENSE sdk proto/plugin/v1
var SDK embed.FS
