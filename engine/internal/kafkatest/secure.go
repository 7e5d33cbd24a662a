package kafkatest

// secure is what clients need to reach a broker that does not let everybody in.
type secure struct{}

func (s *secure) connection(bootstrap string) map[string]any { return plain(bootstrap) }
