package plugin

import (
	"fmt"
	"maps"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

var outcomesToWire = map[sdk.Outcome]pb.Outcome{
	sdk.Complete: pb.Outcome_OUTCOME_COMPLETE,
	sdk.Partial:  pb.Outcome_OUTCOME_PARTIAL,
	sdk.Aborted:  pb.Outcome_OUTCOME_ABORTED,
}

// outcomeFromWire takes what it does not know as partial: then nothing is
// concluded from what was not seen.
func outcomeFromWire(m pb.Outcome) sdk.Outcome {
	switch m {
	case pb.Outcome_OUTCOME_COMPLETE:
		return sdk.Complete
	case pb.Outcome_OUTCOME_ABORTED:
		return sdk.Aborted
	default:
		return sdk.Partial
	}
}

var verdictsToWire = map[sdk.Verdict]pb.Verdict{
	sdk.Skipped:  pb.Verdict_VERDICT_SKIPPED,
	sdk.Rejected: pb.Verdict_VERDICT_REJECTED,
	sdk.Retry:    pb.Verdict_VERDICT_RETRY,
}

var verdictsFromWire = map[pb.Verdict]sdk.Verdict{
	pb.Verdict_VERDICT_SKIPPED:  sdk.Skipped,
	pb.Verdict_VERDICT_REJECTED: sdk.Rejected,
	pb.Verdict_VERDICT_RETRY:    sdk.Retry,
}

func runToWire(r sdk.Run) *pb.Run {
	return &pb.Run{Id: text(r.ID), Policy: text(r.Policy), Started: stamp(r.Started), Sources: texts[string](r.Sources)}
}

func runFromWire(m *pb.Run) sdk.Run {
	return sdk.Run{ID: m.GetId(), Policy: m.GetPolicy(), Started: unstamp(m.GetStarted()), Sources: m.GetSources()}
}

func runEndToWire(e sdk.RunEnd) *pb.EndRunRequest {
	outcome, ok := outcomesToWire[e.Outcome]
	if !ok {
		outcome = pb.Outcome_OUTCOME_PARTIAL
	}
	return &pb.EndRunRequest{
		Run: runToWire(e.Run), Outcome: outcome, Finished: stamp(e.Finished),
		FailedGrants: each(e.FailedGrants, func(g sdk.FailedGrant) *pb.FailedGrant {
			return &pb.FailedGrant{Source: text(g.Source), Username: text(string(g.Username)),
				Nif: text(string(g.NIF)), Reason: text(g.Reason)}
		}),
	}
}

func runEndFromWire(m *pb.EndRunRequest) sdk.RunEnd {
	return sdk.RunEnd{
		Run: runFromWire(m.GetRun()), Outcome: outcomeFromWire(m.GetOutcome()), Finished: unstamp(m.GetFinished()),
		FailedGrants: each(m.GetFailedGrants(), func(g *pb.FailedGrant) sdk.FailedGrant {
			return sdk.FailedGrant{Source: g.GetSource(), Username: sdk.NIF(g.GetUsername()),
				NIF: sdk.NIF(g.GetNif()), Reason: g.GetReason()}
		}),
	}
}

func resultToWire(r sdk.Result) (*pb.BatchResult, error) {
	m := &pb.BatchResult{}
	for _, record := range r.Records {
		if record.Item < 0 {
			return nil, fmt.Errorf("a record of item %d", record.Item)
		}
		m.Records = append(m.Records, recordToWire(record))
	}
	for _, item := range r.Items {
		verdict, ok := verdictsToWire[item.Verdict]
		if !ok || item.Item < 0 {
			return nil, fmt.Errorf("verdict %q on item %d", item.Verdict, item.Item)
		}
		m.Items = append(m.Items, &pb.ItemResult{Item: uint32(item.Item), Verdict: verdict,
			Reason: text(item.Reason), Message: text(item.Message), RetryAfter: duration(item.RetryAfter)})
	}
	return m, nil
}

// resultFromWire shifts the items by first, and fails on those beyond n.
func resultFromWire(m *pb.BatchResult, first, n int) (sdk.Result, error) {
	var r sdk.Result
	for _, record := range m.GetRecords() {
		if int(record.GetItem()) >= n {
			return r, fmt.Errorf("a record of item %d in a batch of %d", record.GetItem(), n)
		}
		r.Records = append(r.Records, recordFromWire(record, first))
	}
	for _, item := range m.GetItems() {
		verdict, ok := verdictsFromWire[item.GetVerdict()]
		if !ok || int(item.GetItem()) >= n {
			return r, fmt.Errorf("verdict %s on item %d in a batch of %d", item.GetVerdict(), item.GetItem(), n)
		}
		r.Items = append(r.Items, sdk.ItemResult{Item: first + int(item.GetItem()), Verdict: verdict,
			Reason: item.GetReason(), Message: item.GetMessage(), RetryAfter: item.GetRetryAfter().AsDuration()})
	}
	return r, nil
}

// recordToWire keeps a nil key or value apart from an empty one.
func recordToWire(r sdk.Record) *pb.Record {
	m := &pb.Record{Item: uint32(r.Item), Topic: text(r.Topic), Key: r.Key, Value: r.Value}
	for key, value := range r.Headers {
		if m.Headers == nil {
			m.Headers = make(map[string]string, len(r.Headers))
		}
		m.Headers[text(key)] = text(value)
	}
	return m
}

func recordFromWire(m *pb.Record, first int) sdk.Record {
	return sdk.Record{Item: first + int(m.GetItem()), Topic: m.GetTopic(), Key: m.Key, Value: m.Value,
		Headers: maps.Clone(m.GetHeaders())}
}
