// Package settings reads the engine's configuration: one JSON file, overlaid by
// environment variables and flags.
//
// Each setting stands once, in the table beside the struct that it fills: its
// key, default, meaning and limits. The JSON Schema, the reference in
// docs/configuration.md, the names of the environment variables and the checks
// are made from those tables.
//
// [Load] reports everything that is wrong at once, a sentence each, with the
// place and the key. No error, no warning and no printed value shows a secret.
package settings
