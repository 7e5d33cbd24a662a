package sdk

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestResultsAreWrittenItemByItem(t *testing.T) {
	t.Parallel()
	var r Result
	r.Add(0, "out", []byte("k"), nil)
	r.Skip(1, "no_contract")
	r.Reject(2, "odd_fare", errors.New("fare 9Z is not known"))
	r.Retry(3, time.Minute, errors.New("busy"))
	want := Result{
		Records: []Record{{Item: 0, Topic: "out", Key: []byte("k")}},
		Items: []ItemResult{
			{Item: 1, Verdict: Skipped, Reason: "no_contract"},
			{Item: 2, Verdict: Rejected, Reason: "odd_fare", Message: "fare 9Z is not known"},
			{Item: 3, Verdict: Retry, Message: "busy", RetryAfter: time.Minute},
		},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("%+v", r)
	}
}
