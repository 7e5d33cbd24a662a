package datadis

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"github.com/datadis-engine/datadis/sdk"
)

// hashVersion changes whenever equal content would get another hash.
const hashVersion = 1

// Hash is the content hash of a chunk: of its starts, spans, values, methods,
// flags and periods, however they are held. It is the same in every process
// and in every version of the engine; chunks that were stored are compared by
// it.
func Hash(chunk *sdk.Chunk) uint64 {
	data := make([]byte, 0, 16+chunk.Len()*48)
	data = append(data, hashVersion)
	data = binary.LittleEndian.AppendUint64(data, uint64(chunk.Len()))
	values := []*sdk.Column{
		&chunk.Consumption, &chunk.Surplus, &chunk.Generation, &chunk.SelfConsumption, &chunk.Peak, &chunk.Reactive,
	}
	for i := range chunk.Starts {
		data = binary.LittleEndian.AppendUint64(data, uint64(chunk.Starts[i]))
		data = binary.LittleEndian.AppendUint32(data, uint32(chunk.Span(i).Seconds()))
		data = binary.LittleEndian.AppendUint16(data, uint16(chunk.Flag(i)))
		var period uint8
		if i < len(chunk.Periods) {
			period = chunk.Periods[i]
		}
		data = append(data, period)
		for _, column := range values {
			data = appendValue(data, column, i)
		}
		method := chunk.Method(i)
		data = binary.AppendUvarint(data, uint64(len(method)))
		data = append(data, method...)
	}
	return xxhash.Sum64(data)
}

// appendValue writes a value in its shortest form, or that it is missing.
func appendValue(data []byte, column *sdk.Column, i int) []byte {
	value, ok := column.Value(i)
	if !ok {
		return append(data, 0xff)
	}
	value = shortest(value)
	if value.Units == 0 {
		value.Scale = 0
	}
	data = append(data, byte(value.Scale))
	return binary.LittleEndian.AppendUint64(data, uint64(value.Units))
}
