// Package plugin is both ends of the wire between the engine and its plugins.
//
// An author writes a [sdk.Source] or a [sdk.Harmonizer], names it in a
// [Definition], and calls [Serve] from main; nothing else is needed. The
// configuration is a struct of the author's, from whose tags the schema, the
// defaults, the example and the table in the help are made.
//
// The engine's end is [Client], which plays the same roles over a connection to
// the plugin's process. Package engine/internal/host owns the process.
package plugin
