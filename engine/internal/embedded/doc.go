// Package embedded holds the servers that `engine run` brings along where none
// is configured: a Redis protocol server and a Kafka protocol broker, both in
// this process and on loopback only, both behind a password that is made anew
// each time.
//
// They are for one machine and one process. The Redis server forgets everything
// when it is closed; the broker keeps its data in a folder.
package embedded
