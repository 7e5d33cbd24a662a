package sdktest

import (
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/fixture"
)

const (
	// CUPS is the supply point of the fixtures.
	CUPS = fixture.CUPS
	// Run is the run of the fixtures.
	Run = fixture.Run
	// SourceName is the source of the fixtures.
	SourceName = fixture.SourceName
)

// Chunk is a whole month of a series with plausible values. Readings follow each
// other without a gap, over change days too.
func Chunk(cups sdk.CUPS, series sdk.Series, month sdk.Month, revision uint32) sdk.Chunk {
	return fixture.Chunk(cups, series, month, revision)
}

// Sealed is the chunk with the hash of what it holds, as the engine hands it
// over.
func Sealed(c sdk.Chunk) sdk.Chunk { return fixture.Sealed(c) }

// Merged is an autumn change day as some distributors send it: the two equal
// hours are one reading of two hours.
func Merged() sdk.Chunk { return fixture.Merged() }

// Gaps is a month of which hours are missing, some as readings without a value,
// and with a zero and a negative value.
func Gaps() sdk.Chunk { return fixture.Gaps() }

// Months are chunks of every series, over change days, leap days and gaps.
func Months() []sdk.Chunk { return fixture.Months() }

// Supplies are supplies with and without contracts, active and ended.
func Supplies() []sdk.Supply { return fixture.Supplies() }
