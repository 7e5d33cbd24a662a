package datadis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// labelled is a row for the interval that starts at a time, with the label that
// a convention gives it. It shares nothing with the decoder but the tables of
// datadis-api.md 7.2.
func labelled(start time.Time, convention Convention, lead time.Duration, value int) string {
	local := start.In(sdk.Madrid)
	minutes := local.Hour()*60 + local.Minute() + int(lead.Minutes())
	if convention == ConventionB {
		end := start.Add(lead).In(sdk.Madrid)
		minutes = end.Hour()*60 + end.Minute()
		if end.Day() != local.Day() {
			minutes += 24 * 60
		}
	}
	return fmt.Sprintf(`{"cups":%q,"date":%q,"time":"%02d:%02d","consumptionKWh":%d.5}`,
		testCUPS, local.Format("2006/01/02"), minutes/60, minutes%60, value)
}

// A month, labelled in any known way, is decoded to the true intervals, all of
// them plain: both months of change, and their neighbours.
func TestEveryMonth(t *testing.T) {
	t.Parallel()
	ways := []struct {
		name       string
		series     sdk.Series
		convention Convention
		lead       time.Duration
	}{
		{"hours, A", sdk.EnergyHourly, ConventionA, time.Hour},
		{"hours, B", sdk.EnergyHourly, ConventionB, time.Hour},
		{"quarter hours, A", sdk.EnergyQuarterHour, ConventionA, 15 * time.Minute},
		{"quarter hours, B", sdk.EnergyQuarterHour, ConventionB, 15 * time.Minute},
		{"quarter hours by their hour, A", sdk.EnergyQuarterHour, ConventionA, time.Hour},
	}
	var months []sdk.Month
	for _, text := range []string{"2024-02", "2025-10", "2025-11", "2026-03"} {
		months = append(months, month(t, text))
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			for _, m := range months {
				var rows []string
				for at := m.Start(); at.Before(m.End()); at = at.Add(way.series.Step()) {
					rows = append(rows, labelled(at, way.convention, way.lead, len(rows)))
				}
				for _, distributor := range []sdk.Distributor{sdk.EDistribucion, sdk.IDE} {
					shape := Shape{CUPS: testCUPS, Distributor: distributor, Series: way.series, From: m, To: m}
					chunk, report := decodeOne(t, curve(rows), shape)
					if chunk.Covered() != way.series.Expected(m) || report.Flagged != 0 {
						t.Fatalf("%s of %s: %d of %d covered, %+v", m, distributor, chunk.Covered(), way.series.Expected(m), report)
					}
					for i := range chunk.Len() {
						value, _ := chunk.Consumption.Value(i)
						want := m.Start().Add(time.Duration(i) * way.series.Step())
						if !chunk.Start(i).Equal(want) || value.String() != fmt.Sprintf("%d.5", i) {
							t.Fatalf("%s: reading %d is %s at %s, want %s", m, i, value, chunk.Start(i), want)
						}
					}
				}
			}
		})
	}
}

// However the rows of a change day are shuffled, dropped and repeated, each is
// placed within the day or counted, and no interval is given twice.
func TestSpoiledChangeDays(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		day, text := "2025/10/26", "2025-10"
		if random.IntN(2) == 0 {
			day, text = "2026/03/29", "2026-03"
		}
		labels, series := hours(0, 25), sdk.EnergyHourly
		if random.IntN(4) == 0 {
			labels, series = quarters(15*(1+3*random.IntN(2))), sdk.EnergyQuarterHour
		}
		for range random.IntN(8) {
			i := random.IntN(len(labels))
			switch random.IntN(3) {
			case 0:
				labels = slices.Delete(labels, i, i+1)
			case 1:
				labels = slices.Insert(labels, i, labels[random.IntN(len(labels))])
			case 2:
				labels[i] = strings.Split(labels[i], "=")[0] + "=0"
			}
		}
		if random.IntN(4) == 0 {
			random.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		}
		shape := oneMonth(t, series, sdk.Distributor([]string{"2", "8"}[random.IntN(2)]), text)
		chunk, report := decodeOne(t, curve(rowsOf(day, labels...)), shape)
		checkChunk(t, chunk)
		checkCounts(t, chunk, report)
		if t.Failed() {
			t.Fatalf("labels were %q", labels)
		}
	}
}

// Labels may follow another zone's clock, where a caller knows that they do.
func TestCanaryIslands(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Atlantic/Canary")
	if err != nil {
		t.Fatal(err)
	}
	shape := oneMonth(t, sdk.EnergyHourly, "2", "2026-02")
	shape.Zone = zone
	chunk, _ := decodeOne(t, curve(rowsOf("2026/02/01", "01:00"), rowsOf("2026/02/28", "24:00")), shape)
	if got, want := shown(chunk, "", "99"), []string{"01 00:00 1", "28 23:00 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A caller may know more of a distributor than the engine does.
func TestConventionOfTheCaller(t *testing.T) {
	t.Parallel()
	shape := oneMonth(t, sdk.EnergyHourly, "3", "2025-10")
	shape.Convention = ConventionB
	chunk, _ := decodeOne(t, curve(rowsOf("2025/10/26", hours(1, 24)...)), shape)
	if got, want := shown(chunk, "25 23:00", "26 01:00"), []string{"25 23:00 2h 1 merged", "26 01:00 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
