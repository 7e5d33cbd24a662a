package sdk

import "time"

// Add has the engine publish a message that was made from the batch's item i.
func (r *Result) Add(i int, topic string, key, value []byte) {
	r.Records = append(r.Records, Record{Item: i, Topic: topic, Key: key, Value: value})
}

// Skip says that item i is of no use here, and done.
func (r *Result) Skip(i int, reason string) {
	r.Items = append(r.Items, ItemResult{Item: i, Verdict: Skipped, Reason: reason})
}

// Reject says that item i cannot be harmonized: it goes to the dead letters, and
// the others go on. The reason is a stable code, snake_case.
func (r *Result) Reject(i int, reason string, err error) {
	r.Items = append(r.Items, ItemResult{Item: i, Verdict: Rejected, Reason: reason, Message: err.Error()})
}

// Retry asks for item i again after the given time; 0 leaves it to the engine.
func (r *Result) Retry(i int, after time.Duration, err error) {
	r.Items = append(r.Items, ItemResult{Item: i, Verdict: Retry, Message: err.Error(), RetryAfter: after})
}
