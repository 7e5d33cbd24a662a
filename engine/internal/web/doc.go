// Package web serves what probes, Prometheus, people and the engine's own
// commands ask of a process over HTTP: /livez, /readyz, /metrics, /api/v1/… and
// a small page that works without JavaScript.
//
// On TCP everything is read-only, personal data is masked, and what is more than
// a probe needs a token unless the address is a loopback one. On the private
// socket of local mode, which only its owner can open, the commands also act.
package web
