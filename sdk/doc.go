// Package sdk holds the words that the engine and its plugins share: grants,
// supplies, chunks of readings, and the two roles that a plugin can play.
//
// A source implements [Source]: it hands over the Datadis users of one project.
// A harmonizer implements [Harmonizer]: it turns what was gathered into the
// project's own model. Package sdk/plugin serves either of them as a binary
// that the engine starts.
//
// The package imports the standard library only, so that nothing the engine is
// built with can change the types a plugin is written against.
package sdk
