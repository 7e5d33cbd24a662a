package envelope

import (
	"slices"
	"strconv"
)

// The headers that a dead letter has besides those of the message that it was.
const (
	HeaderDeadReason    = "dd-dead-reason"    // a stable code, snake_case
	HeaderDeadMessage   = "dd-dead-message"   // for people; no secrets
	HeaderDeadWhere     = "dd-dead-where"     // the harmonizer that refused it
	HeaderDeadTopic     = "dd-dead-topic"     // where the message was
	HeaderDeadPartition = "dd-dead-partition" //
	HeaderDeadOffset    = "dd-dead-offset"    //
)

// Letter says where a message was, who could not take it, and why.
type Letter struct {
	Where           string
	Reason, Message string
	Partition       int32
	Offset          int64
}

// Dead is a message, unchanged, on the topic of the dead letters, with the
// reasons in further headers. A dead letter that died before has the latest.
func Dead(m *Message, l Letter, topic string) Message {
	headers := slices.DeleteFunc(slices.Clone(m.Headers), func(h Header) bool {
		return len(h.Name) > 8 && h.Name[:8] == "dd-dead-"
	})
	return Message{Topic: topic, Key: m.Key, Value: m.Value, Headers: append(headers,
		Header{HeaderDeadReason, l.Reason},
		Header{HeaderDeadMessage, l.Message},
		Header{HeaderDeadWhere, l.Where},
		Header{HeaderDeadTopic, m.Topic},
		Header{HeaderDeadPartition, strconv.Itoa(int(l.Partition))},
		Header{HeaderDeadOffset, strconv.FormatInt(l.Offset, 10)},
	)}
}
