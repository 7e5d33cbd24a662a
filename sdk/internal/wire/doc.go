// Package wire translates between the words of package sdk and the messages of
// the protocol. Both ends and the conformance kit use it; plugins do not see it.
package wire
