// Package kafka moves envelope messages through a Kafka broker: [Publisher]
// sends them and waits until the broker has them, [Subscriber] reads as a
// member of a group, [Reader] reads single messages and whole topics, [Admin]
// creates topics and asks for offsets.
//
// It is the only package of the engine that needs cgo (librdkafka). Whatever
// librdkafka has to say goes to the logger that each of them is given. Topics
// are never created by accident: only [Admin.EnsureTopics] creates them.
package kafka
