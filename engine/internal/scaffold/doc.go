// Package scaffold writes the folder of a new plugin: a source or a harmonizer
// that builds, passes its tests and can be installed before a line is changed.
package scaffold
