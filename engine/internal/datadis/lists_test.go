package datadis

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a value, as JSON, with a file.
func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != string(got) {
		t.Errorf("%s differs; go test -update rewrites it. Got:\n%s", path, got)
	}
}

func input(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestSupplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(suppliesCall.v2, 200, string(input(t, "lists/supplies-v2.json")))
	listing, err := w.session().Supplies(t.Context(), "X1234567L", "2")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.last().URL.RawQuery; got != "authorizedNif=X1234567L&distributorCode=2" {
		t.Errorf("asked with %s", got)
	}
	golden(t, "lists/supplies.golden", listing)
	if got := listing.Failed(); !slices.Equal(got, []sdk.Distributor{"5"}) {
		t.Errorf("failed distributors are %q", got)
	}
	current := listing.Current()
	if len(current) != 2 || current[0].ValidFrom.Year() != 2024 || current[1].CUPS != "ES0021000000000001RK" {
		t.Errorf("current rows are %+v", current)
	}
	var fields struct {
		New struct{ Field []int } `json:"new"`
	}
	if err := json.Unmarshal(listing.Supplies[0].Raw, &fields); err != nil || len(fields.New.Field) != 1 {
		t.Errorf("unknown fields are lost: %s", listing.Supplies[0].Raw)
	}
}

func TestOwnSuppliesAreAskedWithoutNIF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(suppliesCall.v2, 200, `{"supplies":[]}`)
	if _, err := w.session().Supplies(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.last().URL.RawQuery; got != "" {
		t.Errorf("asked with %s", got)
	}
}

func TestSuppliesThatAreNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		code int
		body string
		kind error
	}{
		{"no supplies", 404, "No supplies", nil},
		{"empty list", 200, `{"supplies":[],"distributorError":[]}`, nil},
		{"nothing authorised", 403, "No authorized supplies", ErrUnauthorised},
		{"no list", 200, `{}`, ErrUnavailable},
		{"an error with 200", 200, `{"status":500,"error":"INTERNAL_SERVER_ERROR"}`, ErrUnreadable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say(suppliesCall.v2, test.code, test.body)
			listing, err := w.session().Supplies(t.Context(), "", "")
			if !errors.Is(err, test.kind) || len(listing.Supplies) != 0 {
				t.Errorf("got %v, %v", listing, err)
			}
		})
	}
}

func TestCurrentRow(t *testing.T) {
	t.Parallel()
	day := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, sdk.Madrid) }
	row := func(cups sdk.CUPS, from, to time.Time) sdk.Supply {
		return sdk.Supply{CUPS: cups, ValidFrom: from, ValidTo: to}
	}
	tests := []struct {
		name string
		rows []sdk.Supply
		want int
	}{
		{"active before ended", []sdk.Supply{row("A", day(2020), time.Time{}), row("A", day(2024), day(2025))}, 0},
		{"active after ended", []sdk.Supply{row("A", day(2024), day(2025)), row("A", day(2020), time.Time{})}, 1},
		{"latest of the ended", []sdk.Supply{row("A", day(2019), day(2020)), row("A", day(2022), day(2023)), row("A", day(2020), day(2021))}, 1},
		{"equal rows", []sdk.Supply{row("A", day(2020), time.Time{}), row("a", day(2020), time.Time{})}, 0},
	}
	for _, test := range tests {
		current := Listing{Supplies: test.rows}.Current()
		if len(current) != 1 || current[0].CUPS != test.rows[test.want].CUPS || current[0].ValidFrom != test.rows[test.want].ValidFrom {
			t.Errorf("%s: got %+v", test.name, current)
		}
	}
}

func TestDistributors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       []sdk.Distributor
		failed     int
	}{
		{"v2", `{"distributorError":[{"distributorCode":"5","errorCode":"15"}],"distExistenceUser":{"distributorCodes":["2","8"]}}`, []sdk.Distributor{"2", "8"}, 1},
		{"v2 with nothing", `{"distributorError":[],"distExistenceUser":{"distributorCodes":[]}}`, nil, 0},
		{"v1", `[{"distributorCodes":["1","7"]}]`, []sdk.Distributor{"1", "7"}, 0},
		{"v1, bare object", `{"distributorCodes":["1",7]}`, []sdk.Distributor{"1", "7"}, 0},
	}
	for _, test := range tests {
		codes, failures, err := DecodeDistributors([]byte(test.body))
		if err != nil || !slices.Equal(codes, test.want) || len(failures) != test.failed {
			t.Errorf("%s: got %q, %v, %v", test.name, codes, failures, err)
		}
	}
	if _, _, err := DecodeDistributors([]byte(`{"a":[]}`)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("without the list: %v", err)
	}
	w := newWorld(t)
	w.say(distributorsCall.v2, 404, "No supplies")
	if codes, _, err := w.session().Distributors(t.Context(), ""); err != nil || codes != nil {
		t.Errorf("without supplies: %q, %v", codes, err)
	}
	w.say(distributorsCall.v2, 200, tests[0].body)
	if codes, _, err := w.session().Distributors(t.Context(), "X1234567L"); err != nil || len(codes) != 2 {
		t.Errorf("got %q, %v", codes, err)
	}
}

func TestContracts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(contractsCall.v2, 200, string(input(t, "lists/contracts-v1.json")))
	contracts, err := w.session().Contracts(t.Context(), "X1234567L", "ES0021000000000001RK", "8")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.last().URL.RawQuery; got != "authorizedNif=X1234567L&cups=ES0021000000000001RK&distributorCode=8" {
		t.Errorf("asked with %s", got)
	}
	golden(t, "lists/contracts.golden", contracts)
}

func TestContractsThatAreNone(t *testing.T) {
	t.Parallel()
	const blank = `{"cups":"","distributor":"","marketer":"","contractedPowerkW":[],"startDate":"","cau":null,"dateOwner":null}`
	tests := []struct {
		name string
		code int
		body string
		kind error
	}{
		{"blank row", 200, `{"contract":[` + blank + `],"distributorError":[]}`, nil},
		{"blank row, v1", 200, `[` + blank + `]`, nil},
		{"not found", 404, "Data not found", nil},
		{"failed distributor", 200, `{"contract":[],"distributorError":[{"distributorCode":"2","errorCode":"10","errorDescription":"Error interno distribuidora"}]}`, ErrUnavailable},
		{"not authorised", 400, "No se encuentra autorizado el cups introducido", ErrUnauthorised},
		{"unreadable", 200, `[[]`, ErrUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say(contractsCall.v2, test.code, test.body)
			contracts, err := w.session().Contracts(t.Context(), "", "ES0021000000000001RK", "8")
			if !errors.Is(err, test.kind) || len(contracts) != 0 {
				t.Errorf("got %v, %v", contracts, err)
			}
		})
	}
}

func TestDistributorErrorKinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code, text              string
		benign, noData, failure bool
	}{
		{"2", "La distribuidora no puede facilitar información a ese NIF", true, false, false},
		{"2", "", true, false, false},
		{"8", "No existen datos en el periodo solicitado", false, true, false},
		{"10", "Error interno distribuidora", false, false, true},
		{"15", "Error interno distribuidora", false, false, true},
		{"2", "ERROR INTERNO", false, false, true},
		{"", "", false, false, true},
	}
	for _, test := range tests {
		e := DistributorError{Distributor: "2", Code: test.code, Description: test.text}
		if e.Benign() != test.benign || e.NoData() != test.noData || e.Failure() != test.failure {
			t.Errorf("%q %q: benign %t, no data %t, failure %t", test.code, test.text, e.Benign(), e.NoData(), e.Failure())
		}
	}
}
