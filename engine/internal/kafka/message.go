package kafka

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
)

// message is an envelope's message as librdkafka takes it.
func message(m *envelope.Message) *kafka.Message {
	partition := kafka.PartitionAny
	if m.Partition != nil {
		partition = *m.Partition
	}
	headers := make([]kafka.Header, len(m.Headers))
	for i, h := range m.Headers {
		headers[i] = kafka.Header{Key: h.Name, Value: []byte(h.Value)}
	}
	return &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &m.Topic, Partition: partition},
		Key:            m.Key,
		Value:          m.Value,
		Headers:        headers,
	}
}

// Record is a message, and where it lies.
type Record struct {
	envelope.Message

	Partition int32
	Offset    int64
}

// record is a message of librdkafka's as one of ours.
func record(m *kafka.Message) Record {
	r := Record{
		Message:   envelope.Message{Topic: *m.TopicPartition.Topic, Key: m.Key, Value: m.Value},
		Partition: m.TopicPartition.Partition,
		Offset:    int64(m.TopicPartition.Offset),
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, envelope.Header{Name: h.Key, Value: string(h.Value)})
	}
	return r
}
