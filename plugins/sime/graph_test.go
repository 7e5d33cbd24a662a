package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// start is a world with one user, who sees one supply in a run of 2 November.
func start(t *testing.T, fields map[string]any) *world {
	t.Helper()
	w := newWorld(t)
	w.user("B00000000", map[string]any{"self": true})
	w.harmonize("run-1", supply("B00000000", "", day(2), full(fields)))
	w.end("run-1", day(2), sdk.Complete)
	return w
}

func TestNewSupply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(w.owner, map[string]any{"self": true})
	w.building(w.owner, "GENERIC", true)
	s := supply(w.owner, "", day(2), full(map[string]any{
		"selfConsumptionTypeCode": "41", "selfConsumptionTypeDesc": "Con excedentes", "cau": "ES0031000000000001BJ0FA000",
		"installedCapacity": json.Number("3600"), "partitionCoefficient": json.Number("0.5"),
		"somethingNew": map[string]any{"a": 1}, "aNumber": 7, "aFlag": true,
	}))
	w.harmonize("run-1", s)
	w.end("run-1", day(2), sdk.Complete)
	w.golden("new-supply")
	first := w.graph()
	w.harmonize("run-1", s)
	w.end("run-1", day(2), sdk.Complete)
	if second := w.graph(); second != first {
		t.Errorf("the same again made\n%s\nof\n%s", second, first)
	}
}

func TestRetailerChange(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.harmonize("run-2", supply("B00000000", "", day(9), full(map[string]any{
		"marketer": "LUZ DOS, S.A.", "lastMarketerDate": "2026/11/05", "startDate": "2026/11/05", "contractedPowerkW": []json.Number{"5", "5"},
	})))
	w.end("run-2", day(9), sdk.Complete)
	w.golden("retailer-change")
}

// TestOwnerChange: the holder sells, and the new one has an account too. The
// list of owners is not sorted.
func TestOwnerChange(t *testing.T) {
	t.Parallel()
	for _, newFirst := range []bool{false, true} {
		w := start(t, nil)
		w.user("12345678Z", nil)
		old := supply("B00000000", "", day(9), full(map[string]any{"dateOwner": owners("2019-04-01", "2026-11-03", "2010-01-01", "2019-03-31")}))
		now := supply("12345678Z", "", day(9), full(map[string]any{"dateOwner": owners("2026-11-04", "", "2019-04-01", "2026-11-03"), "marketer": "LUZ DOS, S.A."}))
		batch := []sdk.Supply{old, now}
		if newFirst {
			batch = []sdk.Supply{now, old}
		}
		w.harmonize("run-2", batch...)
		w.end("run-2", day(9), sdk.Complete)
		w.golden("owner-change")
	}
}

// TestOwnerLeft: the holder left, and nobody who came after is known here.
func TestOwnerLeft(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.harmonize("run-2", supply("B00000000", "", day(9), full(map[string]any{"dateOwner": owners("2010-01-01", "2019-03-31", "2019-04-01", "2026-11-03")})))
	w.end("run-2", day(9), sdk.Complete)
	w.golden("owner-left")
}

// TestCancelledSupply: Datadis does not list it any more. It comes back later.
func TestCancelledSupply(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.end("run-2", day(3), sdk.Complete)
	if strings.Contains(w.graph(), "Accepted") {
		t.Error("it was described the day before, which the engine does not repeat, and was taken for cancelled")
	}
	w.end("run-3", day(9), sdk.Complete)
	w.golden("cancelled-supply")
	w.harmonize("run-4", supply("B00000000", "", day(16), full(nil)))
	w.end("run-4", day(16), sdk.Complete)
	w.golden("cancelled-supply-back")
}

func TestSupplyWithoutContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("B00000000", nil)
	w.harmonize("run-1", supply("B00000000", "", day(2), map[string]any{
		"cups": "ES0021000000000001RK", "address": "-", "postalCode": "3182", "province": "Alicante", "municipality": "Torrevieja",
		"distributor": "I-DE", "validDateFrom": "", "validDateTo": "", "pointType": 5, "distributorCode": "8",
	}))
	w.end("run-1", day(2), sdk.Complete)
	w.golden("without-contract")
}

// TestContractThatFailsOnce: what is known of the owner stays.
func TestContractThatFailsOnce(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]any{"dateOwner": owners("2019-04-01", "2026-10-31")})
	before := w.graph()
	w.harmonize("run-2", supply("B00000000", "", day(9), map[string]any{"cups": cups, "province": "Barcelona", "municipality": "Barcelona"}))
	w.end("run-2", day(9), sdk.Complete)
	after := w.graph()
	for _, line := range []string{`bigg__stateCancelled = "Accepted"`, "bigg__endDate = local 2026-10-31T00:00:00"} {
		if strings.Count(before, line) != 2 || strings.Count(after, line) != 2 {
			t.Errorf("%s: before\n%s\nafter\n%s", line, before, after)
		}
	}
}

// TestTwoAccounts see the same supply: the holder, and somebody authorised, who
// is not told the marketer. Whoever comes last, the graph is the same.
func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		w := newWorld(t)
		w.user("B00000000", map[string]any{"self": true})
		w.user("a58818501", map[string]any{"authorized_nif": []string{"B00000000"}, "self": false})
		both := []sdk.Supply{
			supply("B00000000", "", day(2), full(nil)),
			supply("A58818501", "B00000000", day(2), full(map[string]any{"marketer": "-"})),
		}
		for _, i := range order { // one by one
			w.harmonize("run-1", both[i])
		}
		w.end("run-1", day(2), sdk.Complete)
		w.golden("two-accounts")
		w.end("run-2", day(9), sdk.Complete, sdk.FailedGrant{Source: "north", Username: "A58818501", NIF: "B00000000", Reason: "rejected"})
		w.golden("two-accounts") // one was not heard: nothing is concluded
		w.end("run-3", day(9), sdk.Complete)
		if strings.Count(w.graph(), "Accepted") != 2 {
			t.Errorf("nobody sees it any more, and all were asked:\n%s", w.graph())
		}
	}
}

func TestUnknownMunicipality(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]any{"provinceCode": "", "municipioCode": "", "municipality": "VILLA INVENTADA DEL CONDE", "province": "Burgos"})
	w.golden("unknown-municipality")
	if !strings.Contains(w.log.String(), "VILLA INVENTADA DEL CONDE, Burgos") {
		t.Errorf("nobody was told: %s", w.log)
	}
}

// TestAccentsAndApostrophes: nothing of the data becomes part of a query.
func TestAccentsAndApostrophes(t *testing.T) {
	t.Parallel()
	w := start(t, map[string]any{
		"address": `C/ DE L'ALBEREDA "5", 2º 1ª \ '}) DETACH DELETE n //`, "municipality": "L'Hospitalet de Llobregat", "municipioCode": "101",
		"marketer": `ENERGÍA D'ÀVILA ; MATCH (n) DETACH DELETE n`, "new`field": "a`b", "otro campo ñ": "ç€😀",
	})
	w.golden("accents-and-apostrophes")
}

// TestPartialRun cancels nothing, whatever it did not see.
func TestPartialRun(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	before := w.graph()
	for _, outcome := range []sdk.Outcome{sdk.Partial, sdk.Aborted} {
		w.end("run-2", day(9), outcome)
		if after := w.graph(); after != before {
			t.Errorf("%s: made\n%s\nof\n%s", outcome, after, before)
		}
	}
	w.golden("partial-run")
}

// TestWhoWasNotAsked says nothing: a user that is gone, an authorisation that
// was withdrawn, a supply that is no longer wanted, an account that failed.
func TestWhoWasNotAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		failed []sdk.FailedGrant
	}{
		"user gone":      {"MATCH (u:`%s`) DETACH DELETE u", nil},
		"not own":        {"MATCH (u:`%s`) SET u.self = false, u.authorized_nif = ['X1234567L']", nil},
		"not wanted":     {"MATCH (u:`%s`) SET u.cups = ['ES0021000000000001RK']", nil},
		"failed":         {"MATCH (u:`%s`) RETURN u", []sdk.FailedGrant{{Source: "north", Username: "B00000000"}}},
		"failed unnamed": {"MATCH (u:`%s`) RETURN u", []sdk.FailedGrant{{Source: "north"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.query(strings.ReplaceAll(c.change, "%s", w.config.Label), nil)
			w.end("run-2", day(9), sdk.Complete, c.failed...)
			if strings.Contains(w.graph(), "Accepted") {
				t.Errorf("it was cancelled:\n%s", w.graph())
			}
		})
	}
}

// TestOlderListing does not replace a later one.
func TestOlderListing(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	before := w.graph()
	result, err := w.h.HarmonizeSupplies(t.Context(), sdk.Batch[sdk.Supply]{Run: "run-0", Items: []sdk.Supply{
		supply("B00000000", "", day(1), full(map[string]any{"marketer": "OLD"})),
	}})
	if err != nil || len(result.Items) != 1 || result.Items[0].Verdict != sdk.Skipped || result.Items[0].Reason != "older" {
		t.Errorf("got %+v, %v", result, err)
	}
	if after := w.graph(); after != before {
		t.Errorf("made\n%s\nof\n%s", after, before)
	}
}

// TestBuildings: a new supply belongs to the generic building of its owner, one
// that was put into another building stays there.
func TestBuildings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(w.owner, nil)
	w.building(w.owner, "GENERIC", true)
	w.building(w.owner, "TOWN-HALL", false)
	s := supply(w.owner, "", day(2), full(nil))
	w.harmonize("run-1", s)
	w.golden("building-generic")
	w.query(`MATCH (:Resource {uri: $from})-[r:bigg__hasUtilityPointOfDelivery]->(s) MATCH (to:Resource {uri: $to})
		DELETE r CREATE (to)-[:bigg__hasUtilityPointOfDelivery]->(s)`,
		map[string]any{"from": w.base + "BUILDINGSPACE-GENERIC", "to": w.base + "BUILDINGSPACE-TOWN-HALL"})
	w.harmonize("run-2", s)
	w.golden("building-moved")
}
