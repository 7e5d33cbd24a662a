package datadis

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/sdk"
)

// checkDecoded checks what holds for every body that can be read.
func checkDecoded(t *testing.T, body []byte, shape Shape) {
	t.Helper()
	chunks, report, err := Decode(body, shape)
	if err != nil {
		if chunks != nil {
			t.Error("chunks came with an error")
		}
		return
	}
	if len(chunks) != int(shape.To-shape.From)+1 {
		t.Fatalf("%d chunks", len(chunks))
	}
	again, _, err := Decode(body, shape)
	if err != nil {
		t.Fatal(err)
	}
	for n, chunk := range chunks {
		checkChunk(t, chunk)
		if again[n].Hash != chunk.Hash {
			t.Error("the hash is another one the second time")
		}
	}
	left := report.Bad + report.Foreign + report.Outside + report.Impossible + report.Padding + report.Duplicates
	if shape.Series.Property != sdk.Reactive && report.Rows != report.Kept+left {
		t.Errorf("rows are not accounted for: %+v", report)
	}
}

// checkChunk checks that a chunk's columns fit each other, and its readings the
// month.
func checkChunk(t *testing.T, chunk *sdk.Chunk) {
	t.Helper()
	n := chunk.Len()
	for _, column := range []*sdk.Column{&chunk.Consumption, &chunk.Surplus, &chunk.Generation, &chunk.SelfConsumption, &chunk.Peak, &chunk.Reactive} {
		if len(column.Units) != 0 && len(column.Units) != n {
			t.Errorf("a column has %d values for %d readings", len(column.Units), n)
		}
	}
	for name, length := range map[string]int{
		"spans": len(chunk.Spans), "flags": len(chunk.Flags), "methods": len(chunk.MethodIndex), "periods": len(chunk.Periods),
	} {
		if length != 0 && length != n {
			t.Errorf("%d %s for %d readings", length, name, n)
		}
	}
	for _, i := range chunk.MethodIndex {
		if int(i) >= len(chunk.Methods) {
			t.Fatalf("method %d of %d", i, len(chunk.Methods))
		}
	}
	for i := range n {
		if chunk.Span(i) <= 0 {
			t.Errorf("reading %d lasts %s", i, chunk.Span(i))
		}
		if chunk.Series.Property != sdk.Energy {
			continue
		}
		if chunk.Start(i).Before(chunk.Month.Start()) || chunk.End(i).After(chunk.Month.End()) {
			t.Errorf("reading %d at %s is not in %s", i, chunk.Start(i), chunk.Month)
		}
		if i > 0 && chunk.Start(i).Before(chunk.End(i-1)) {
			t.Errorf("reading %d at %s overlaps the one before", i, chunk.Start(i))
		}
	}
	if chunk.Covered() > chunk.Series.Expected(chunk.Month) {
		t.Errorf("%d steps are covered, the month has %d", chunk.Covered(), chunk.Series.Expected(chunk.Month))
	}
}

func FuzzDecodeConsumption(f *testing.F) {
	f.Add(curve(rowsOf("2025/10/26", hours(1, 24)...)), true, true)
	f.Add(curve(rowsOf("2025/10/26", append(hours(1, 24), "03:00")...)), true, false)
	f.Add(curve(rowsOf("2025/10/26", quarters(15)...)), false, false)
	f.Add(curve(rowsOf("2025/10/27", quarters(60)...)), false, false)
	f.Add(curve(rowsOf("2025/10/31", hours(0, 24)...), rowsOf("2025/11/01", "0:00=null")), true, true)
	f.Add([]byte(`[{"date":"2025-10-01","time":"1:00","consumptionKWh":"1","obtainMethod":7},null,{"a":{"b":[]}}]`), true, false)
	f.Add([]byte(`{"distributorError":[{"errorCode":10}],"timeCurve":null}`), true, false)
	f.Fuzz(func(t *testing.T, body []byte, hourly, ide bool) {
		shape := oneMonth(t, sdk.EnergyQuarterHour, "2", "2025-10")
		if hourly {
			shape.Series = sdk.EnergyHourly
		}
		if ide {
			shape.Distributor = sdk.IDE
		}
		checkDecoded(t, body, shape)
		shape.From, shape.To = shape.From-7, shape.To+1 // both changes
		checkDecoded(t, body, shape)
	})
}

func FuzzDecodePower(f *testing.F) {
	f.Add([]byte(`{"maxPower":[{"cups":"ES0031000000000001BJ0F","date":"2025/10/26","time":"02:15","maxPower":3516,"period":"1"}]}`))
	f.Add([]byte(`[{"date":"2025/10/01","time":"00:00","maxPower":"2.5","period":"VALLE"},{"date":"2025/10/02","time":"24:00","maxPower":1e3,"period":3}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		shape := oneMonth(t, sdk.PowerMonthly, "2", "2025-10")
		shape.ContractedPower = []sdk.Decimal{{Units: 345, Scale: 2}}
		checkDecoded(t, body, shape)
	})
}

func FuzzDecodeReactive(f *testing.F) {
	f.Add([]byte(`{"reactiveEnergy":{"cups":null,"energy":[{"date":"2025/10","energy_p1":0,"energy_p6":-150.5}],"code":"001"},"distributorError":[]}`))
	f.Add([]byte(`{"reactiveEnergy":{"energy":[{"date":"2025/10/01","energy_p2":"x"},null,{"date":"2025/10"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		checkDecoded(t, body, oneMonth(t, sdk.ReactiveMonthly, "2", "2025-10"))
	})
}

func FuzzDecodeLists(f *testing.F) {
	f.Add(input(f, "lists/supplies-v2.json"))
	f.Add(input(f, "lists/contracts-v1.json"))
	f.Add([]byte(`{"distributorError":[],"distExistenceUser":{"distributorCodes":["2","8"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if listing, err := DecodeSupplies(body); err == nil {
			for _, supply := range listing.Supplies {
				if supply.CUPS == "" || !json.Valid(supply.Raw) {
					t.Errorf("supply %q has the fields %s", supply.CUPS, supply.Raw)
				}
			}
			if len(listing.Current()) > len(listing.Supplies) {
				t.Error("more current rows than rows")
			}
		}
		if contracts, _, err := DecodeContracts(body); err == nil {
			for _, contract := range contracts {
				if !json.Valid(contract.Raw) {
					t.Errorf("a contract has the fields %s", contract.Raw)
				}
			}
		}
		_, _, _ = DecodeDistributors(body)
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add([]byte(jwt("1", testNow, 24)))
	f.Add([]byte("\"a.b.c\"\n"))
	f.Add([]byte("<html>a.b.c</html>"))
	f.Add([]byte("a.eyJleHAiOjFlMzAwfQ.c"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseToken(body, testNow)
		if err != nil {
			return
		}
		if strings.Count(got.text, ".") != 2 || strings.ContainsAny(got.text, " \r\n\"<{") {
			t.Errorf("%q is taken for a token", got.text)
		}
		if life := got.until.Sub(testNow); life <= 0 || life > 30*tokenLife {
			t.Errorf("it is used for %s", life)
		}
	})
}

func FuzzLabels(f *testing.F) {
	f.Add("2026/03/29", "01:00")
	f.Add("2026-02-29", "24:45")
	f.Add("0000/00/00", "0:00")
	f.Fuzz(func(t *testing.T, day, label string) {
		if minutes, ok := parseLabel([]byte(label)); ok && (minutes < 0 || minutes > maxLabel) {
			t.Errorf("%q is %d minutes", label, minutes)
		}
		d, ok := parseDate([]byte(day))
		if !ok {
			return
		}
		if got := d.midnight(sdk.Madrid).Format("2006/01/02"); got != strings.ReplaceAll(day, "-", "/") {
			t.Errorf("%q became %s", day, got)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(emptyCurve))
	f.Add(200, []byte("\x1f\x8b\x08"))
	f.Add(400, []byte("No se encuentra autorizado el cups ES0031000000000001BJ0F introducido"))
	f.Add(500, []byte(badCredentials))
	f.Add(502, []byte(gatewayPage))
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		read, err := readBody(bytes.NewReader(body), -1, 1<<20)
		if err != nil {
			return
		}
		for _, e := range []*endpoint{consumptionCall, loginCall} {
			err := classify(request{endpoint: e}, reply{status: code, body: read, received: testNow})
			if err == nil {
				if code != 200 {
					t.Errorf("status %d is taken for data", code)
				}
				continue
			}
			text := err.Error()
			if !utf8.ValidString(text) || len(text) > 600 || strings.ContainsAny(text, "\r\n") {
				t.Errorf("the error says %q", text)
			}
		}
		if e := checkComplete(read); e != nil && json.Valid(read) && (len(bytes.TrimSpace(read)) > 0 && strings.ContainsRune("[{", rune(bytes.TrimSpace(read)[0]))) {
			t.Errorf("a whole document is refused: %v", e)
		}
	})
}
