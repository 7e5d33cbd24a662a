package wire

import (
	"fmt"
	"maps"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

var outcomes = map[sdk.Outcome]pb.Outcome{
	sdk.Complete: pb.Outcome_OUTCOME_COMPLETE,
	sdk.Partial:  pb.Outcome_OUTCOME_PARTIAL,
	sdk.Aborted:  pb.Outcome_OUTCOME_ABORTED,
}

// decodeOutcome takes what it does not know as partial: then nothing is
// concluded from what was not seen.
func decodeOutcome(m pb.Outcome) sdk.Outcome {
	switch m {
	case pb.Outcome_OUTCOME_COMPLETE:
		return sdk.Complete
	case pb.Outcome_OUTCOME_ABORTED:
		return sdk.Aborted
	default:
		return sdk.Partial
	}
}

var verdicts = map[sdk.Verdict]pb.Verdict{
	sdk.Skipped:  pb.Verdict_VERDICT_SKIPPED,
	sdk.Rejected: pb.Verdict_VERDICT_REJECTED,
	sdk.Retry:    pb.Verdict_VERDICT_RETRY,
}

var verdictsByCode = map[pb.Verdict]sdk.Verdict{
	pb.Verdict_VERDICT_SKIPPED:  sdk.Skipped,
	pb.Verdict_VERDICT_REJECTED: sdk.Rejected,
	pb.Verdict_VERDICT_RETRY:    sdk.Retry,
}

func EncodeRun(r sdk.Run) *pb.Run {
	return &pb.Run{Id: Text(r.ID), Policy: Text(r.Policy), Started: stamp(r.Started), Sources: texts[string](r.Sources)}
}

func DecodeRun(m *pb.Run) sdk.Run {
	return sdk.Run{ID: m.GetId(), Policy: m.GetPolicy(), Started: unstamp(m.GetStarted()), Sources: m.GetSources()}
}

func EncodeRunEnd(e sdk.RunEnd) *pb.EndRunRequest {
	outcome, ok := outcomes[e.Outcome]
	if !ok {
		outcome = pb.Outcome_OUTCOME_PARTIAL
	}
	return &pb.EndRunRequest{
		Run: EncodeRun(e.Run), Outcome: outcome, Finished: stamp(e.Finished),
		FailedGrants: Each(e.FailedGrants, func(g sdk.FailedGrant) *pb.FailedGrant {
			return &pb.FailedGrant{Source: Text(g.Source), Username: Text(string(g.Username)),
				Nif: Text(string(g.NIF)), Reason: Text(g.Reason)}
		}),
	}
}

func DecodeRunEnd(m *pb.EndRunRequest) sdk.RunEnd {
	return sdk.RunEnd{
		Run: DecodeRun(m.GetRun()), Outcome: decodeOutcome(m.GetOutcome()), Finished: unstamp(m.GetFinished()),
		FailedGrants: Each(m.GetFailedGrants(), func(g *pb.FailedGrant) sdk.FailedGrant {
			return sdk.FailedGrant{Source: g.GetSource(), Username: sdk.NIF(g.GetUsername()),
				NIF: sdk.NIF(g.GetNif()), Reason: g.GetReason()}
		}),
	}
}

func EncodeResult(r sdk.Result) (*pb.BatchResult, error) {
	m := &pb.BatchResult{}
	for _, record := range r.Records {
		if record.Item < 0 {
			return nil, fmt.Errorf("a record of item %d", record.Item)
		}
		m.Records = append(m.Records, encodeRecord(record))
	}
	for _, item := range r.Items {
		verdict, ok := verdicts[item.Verdict]
		if !ok || item.Item < 0 {
			return nil, fmt.Errorf("verdict %q on item %d", item.Verdict, item.Item)
		}
		m.Items = append(m.Items, &pb.ItemResult{Item: uint32(item.Item), Verdict: verdict,
			Reason: Text(item.Reason), Message: Text(item.Message), RetryAfter: duration(item.RetryAfter)})
	}
	return m, nil
}

// DecodeResult shifts the items by first, and fails on those beyond n.
func DecodeResult(m *pb.BatchResult, first, n int) (sdk.Result, error) {
	var r sdk.Result
	for _, record := range m.GetRecords() {
		if int(record.GetItem()) >= n {
			return r, fmt.Errorf("a record of item %d, which is not in the batch of %d", record.GetItem(), n)
		}
		r.Records = append(r.Records, decodeRecord(record, first))
	}
	for _, item := range m.GetItems() {
		verdict, ok := verdictsByCode[item.GetVerdict()]
		switch {
		case int(item.GetItem()) >= n:
			return r, fmt.Errorf("a verdict on item %d, which is not in the batch of %d", item.GetItem(), n)
		case !ok:
			return r, fmt.Errorf("no verdict on item %d that is known: %s", item.GetItem(), item.GetVerdict())
		}
		r.Items = append(r.Items, sdk.ItemResult{Item: first + int(item.GetItem()), Verdict: verdict,
			Reason: item.GetReason(), Message: item.GetMessage(), RetryAfter: item.GetRetryAfter().AsDuration()})
	}
	return r, nil
}

// encodeRecord keeps a nil key or value apart from an empty one.
func encodeRecord(r sdk.Record) *pb.Record {
	m := &pb.Record{Item: uint32(r.Item), Topic: Text(r.Topic), Key: r.Key, Value: r.Value}
	for key, value := range r.Headers {
		if m.Headers == nil {
			m.Headers = make(map[string]string, len(r.Headers))
		}
		m.Headers[Text(key)] = Text(value)
	}
	return m
}

func decodeRecord(m *pb.Record, first int) sdk.Record {
	return sdk.Record{Item: first + int(m.GetItem()), Topic: m.GetTopic(), Key: m.Key, Value: m.Value,
		Headers: maps.Clone(m.GetHeaders())}
}
