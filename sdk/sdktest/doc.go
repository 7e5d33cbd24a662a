// Package sdktest is the suite that every plugin passes: ours, and anybody's.
//
// [Source] and [Harmonizer] take a function that makes a fresh plugin, in this
// process or over a connection, and run a subtest per promise that the engine
// relies on. The fixtures are synthetic, and exported for a plugin's own tests.
// [Conformance] tries the finished binary, from outside.
package sdktest
