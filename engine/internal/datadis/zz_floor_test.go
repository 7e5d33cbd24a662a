package datadis

import (
	"os"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

type frow struct {
	Cups string   `json:"cups"`
	Date string   `json:"date"`
	Time string   `json:"time"`
	C    *float64 `json:"consumptionKWh"`
	O    string   `json:"obtainMethod"`
	S    *float64 `json:"surplusEnergyKWh"`
	G    *float64 `json:"generationEnergyKWh"`
	SC   *float64 `json:"selfConsumptionEnergyKWh"`
}

func BenchmarkFloor(b *testing.B) {
	body, _ := os.ReadFile("testdata/household/consumption-2022-05.json")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		var rows []frow
		if err := json.Unmarshal(body, &rows, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			b.Fatal(err)
		}
	}
}
func BenchmarkTokens(b *testing.B) {
	body, _ := os.ReadFile("testdata/household/consumption-2022-05.json")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		d := newDecoder(body)
		for {
			if _, err := d.ReadToken(); err != nil {
				break
			}
		}
	}
}
func BenchmarkValid(b *testing.B) {
	body, _ := os.ReadFile("testdata/household/consumption-2022-05.json")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
			b.Fatal()
		}
	}
}
func BenchmarkTable(b *testing.B) {
	body, _ := os.ReadFile("testdata/household/consumption-2022-05.json")
	b.SetBytes(int64(len(body)))
	m := month(b, "2022-05")
	shape := Shape{CUPS: household, Distributor: "2", From: m, To: m}
	shape.Series.Resolution = "PT1H"
	for b.Loop() {
		newTable(body, shape)
	}
}
