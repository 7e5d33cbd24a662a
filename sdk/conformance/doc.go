// Package conformance tries a plugin's binary, in whatever language it is
// written: it starts the file as the engine does, hands over what occurs in
// production, and says which promise of the protocol was broken.
//
// [Run] is behind `engine plugins conformance PATH`, behind the command
// `conformance` of every plugin in Go, and behind sdktest.Binary. A finding has
// a stable code; [Codes] explains them all. What a harmonizer did is seen in the
// records that it returns, in the files below its instance's folder, and in what
// it answers to DumpState, if it has that.
package conformance
