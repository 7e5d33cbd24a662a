// Package envelope says how the engine's data looks as Kafka messages, and
// reads it back. It knows no broker.
//
// A message's value is the JSON envelope that existing consumers read:
//
//	{"data":…,"tables":…,"row_keys":…,"kwargs":{"collection_type":…,…}}
//
// What identifies a message (run, source, chunk, part, hash, revision) stands
// in its headers, so that it can be told apart without being decoded.
//
// A chunk becomes one message per part and source ([Chunk]). The rows carry all
// that a chunk holds: [ParsePart] and [Assembler] give the chunk back, value
// for value. Columns come back as [sdk.Column.Set] and [sdk.Column.Close] make
// them: the smallest scale, no value at all for an empty column.
//
// Files: message.go names headers and errors; chunk.go, rows.go and monthly.go
// write time series; part.go, partrows.go, partmonthly.go and assembler.go read
// them; supply.go and supplyparse.go the static data; raw.go the copies of what
// Datadis answered; control.go the start and the end of runs; final.go and
// dead.go the end marker and the dead letters.
package envelope
