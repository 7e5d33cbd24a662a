package simulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// listing is a decoded get-supplies-v2.
type listing struct {
	Supplies         []listed
	DistributorError []distributorError
}

func (f *fixture) list(token string, params url.Values) listing {
	f.t.Helper()
	got := f.get(token, "get-supplies-v2", params)
	var l listing
	if err := json.Unmarshal([]byte(got.body), &l); err != nil {
		f.t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	return l
}

// cups and errors of a listing, in short.
func (l listing) String() string {
	var words []string
	for _, s := range l.Supplies {
		words = append(words, s.CUPS)
	}
	for _, e := range l.DistributorError {
		words = append(words, e.Code+":"+e.ErrorCode)
	}
	return strings.Join(words, " ")
}

func TestListings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		faults string
		params url.Values
		want   string
	}{
		{"all", `[]`, nil, home + " " + shop + " 1:2 3:2 4:2 5:2 6:2 7:2"},
		{"one distributor", `[]`, url.Values{"distributorCode": {"8"}}, shop},
		{"a distributor that knows nobody", `[]`, url.Values{"distributorCode": {"5"}}, "5:2"},
		{"authorised", `[]`, url.Values{"authorizedNif": {firm}}, plant + " 1:2 3:2 4:2 5:2 6:2 7:2 8:2"},
		{"outage", `[{"match":{"distributor":"8"},"fault":{"kind":"outage"}}]`, nil, home + " 1:2 3:2 4:2 5:2 6:2 7:2 8:10"},
		{"outage of one that knows nobody", `[{"match":{"distributor":"5"},"fault":{"kind":"outage","code":"15"}}]`, nil, home + " " + shop + " 1:2 3:2 4:2 6:2 7:2 5:15"},
		{"outage of the one asked", `[{"match":{"distributor":"8"},"fault":{"kind":"outage"}}]`, url.Values{"distributorCode": {"8"}}, "8:10"},
		{"outage of another one", `[{"match":{"distributor":"8"},"fault":{"kind":"outage"}}]`, url.Values{"distributorCode": {"2"}}, home},
		{"short list", `[{"match":{"endpoint":"supplies"},"fault":{"kind":"short_list","keep":0.000001}}]`, nil, "1:2 3:2 4:2 5:2 6:2 7:2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, Config{Faults: parseRules(t, test.faults)})
			if got := f.list(f.login(anna), test.params).String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestOutageInVersion1 leaves supplies out without a word, or fails.
func TestOutageInVersion1(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]int{"outage": 200, "outage_500": 500} {
		f := start(t, Config{Faults: parseRules(t, `[{"match":{"distributor":"8"},"fault":{"kind":"`+kind+`"}}]`)})
		got := f.get(f.login(anna), "get-supplies", nil)
		if got.status != want || want == 200 && (!strings.Contains(got.body, home) || strings.Contains(got.body, shop)) {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

// TestRows looks at what is odd about rows: several contracts, dates that a
// distributor does not tell, postal codes without their zero.
func TestRows(t *testing.T) {
	t.Parallel()
	world := testWorld()
	world.Supplies[0].Earlier = []Contract{{From: "2015-04-01", To: "2025-03-09"}}
	world.Supplies[0].PostalCode = "08001"
	world.Supplies[0].To = "2026-11-09"
	world.Supplies[1].To = "2026-12-24" // which nobody knows yet
	world.Distributors = []Distributor{{Code: "2", ShortPostalCode: true}}
	f := start(t, Config{World: world})
	token := f.login(anna)
	var got []string
	for _, s := range f.list(token, nil).Supplies {
		got = append(got, strings.Join([]string{s.CUPS, s.ValidFrom, s.ValidTo, s.PostalCode}, " "))
	}
	want := []string{home + " 2015/04/01 2025/03/09 8001", home + " 2025/03/10 2026/11/09 8001", shop + "   08001"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var contracts []contractRow
	body := f.get(token, "get-contract-detail", window(home, "2", "", "")).body
	if err := json.Unmarshal([]byte(body), &contracts); err != nil || len(contracts) != 2 ||
		contracts[0].EndDate != "2025/03/09" || contracts[1].StartDate != "2025/03/10" || contracts[1].Marketer == "-" {
		t.Errorf("contracts %s", body)
	}
}

// TestFutureContract has a present contract and one to come, which nobody
// knows of yet; and a supply that is only to come.
func TestFutureContract(t *testing.T) {
	t.Parallel()
	world := testWorld()
	world.Supplies[0].From, world.Supplies[0].Earlier = "2026-12-01", []Contract{{From: "2020-01-01", To: "2026-11-30"}}
	world.Supplies[1].From = "2026-11-11"
	f := start(t, Config{World: world})
	listed := f.list(f.login(anna), nil).Supplies
	if len(listed) != 1 || listed[0].CUPS != home || listed[0].ValidFrom != "2020/01/01" || listed[0].ValidTo != "" {
		t.Errorf("listed %+v", listed)
	}
	f.sim.SetNow(testNow.Add(30 * 24 * time.Hour))
	if listed := f.list(f.login(anna), nil).Supplies; len(listed) != 3 {
		t.Errorf("a month later %+v", listed)
	}
}

// TestMarketerIsForOwners asks for one contract as its owner's friend.
func TestMarketerIsForOwners(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	got := f.get(f.login(anna), "get-contract-detail-v2", window(plant, "2", "", "", "authorizedNif", firm))
	if !strings.Contains(got.body, `"marketer":"-"`) || !strings.Contains(got.body, `"contract":[`) ||
		!strings.Contains(got.body, `"startDate":"2020-05-05"`) || !strings.Contains(got.body, `"startDate":"2020/05/05"`) {
		t.Errorf("contract: %s", got.body)
	}
}

func TestDistributors(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	token := f.login(anna)
	if got, want := f.get(token, "get-distributors-with-supplies", nil), (reply{200, "application/json", `[{"distributorCodes":["2","8"]}]`, nil}); got != want {
		t.Errorf("v1: %+v", got)
	}
	want := reply{200, "application/json", `{"distributorError":[],"distExistenceUser":{"distributorCodes":["2"]}}`, nil}
	if got := f.get(token, "get-distributors-with-supplies-v2", url.Values{"authorizedNif": {firm}}); got != want {
		t.Errorf("v2: %+v", got)
	}
}

// TestConsentEnds moves the clock over the last day of a consent.
func TestConsentEnds(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	ask := func() (int, int) {
		token := f.login(anna)
		query := hourly(plant, "2", "2026/10", "2026/10", "authorizedNif", firm)
		return f.get(token, "get-supplies", url.Values{"authorizedNif": {firm}}).status, f.get(token, "get-consumption-data", query).status
	}
	f.sim.SetNow(time.Date(2026, 11, 20, 22, 59, 0, 0, time.UTC))
	if lists, data := ask(); lists != 200 || data != 200 {
		t.Errorf("on the last day: %d, %d", lists, data)
	}
	f.sim.SetNow(time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC))
	if lists, data := ask(); lists != 403 || data != 429 {
		t.Errorf("then: %d, %d (the query was asked already)", lists, data)
	}
	f.sim.SetNow(time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC))
	if lists, data := ask(); lists != 403 || data != 400 {
		t.Errorf("a day later: %d, %d", lists, data)
	}
	consents := f.get(f.login(bert), "list-authorization", nil).body
	for _, want := range []string{`"status":"CANCELADA"`, `"status":"VIGENTE"`, `"ownerDocument":"` + firm + `"`, `"distributorCodeFather":"0022"`} {
		if !strings.Contains(consents, want) {
			t.Errorf("authorizations lack %s: %s", want, consents)
		}
	}
}
