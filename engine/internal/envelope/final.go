package envelope

import "slices"

// Final is the older end marker for one partition of the static topic. Readers
// of the engine's own control topic do not need it; [ParseSupply] passes it
// over with [ErrFinal].
//
// Its value is an envelope without data whose kwargs carry the collection type
// FINAL_MESSAGE, and the sources of the run as dblist.
func Final(run string, sources []string, topic string, partition int32) (Message, error) {
	end, err := closing(nil, nil, kwargs{Collection: finalMark, Sources: nonNil(sources)})
	if err != nil {
		return Message{}, err
	}
	return Message{
		Topic: topic, Partition: &partition, Key: []byte(finalMark),
		Value:   slices.Concat([]byte(`{"data":[]`), end),
		Headers: []Header{{HeaderSchema, Schema}, {HeaderRun, run}},
	}, nil
}
