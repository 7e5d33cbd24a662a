package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// leave sends a consumption query, and goes when the simulator has got it but
// not answered.
func (f *fixture) leave(token string, params url.Values) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	done := make(chan struct{})
	before := f.asked()
	go func() {
		defer close(done)
		f.send(f.request("GET", apiPath+"get-consumption-data", token, params).WithContext(ctx))
	}()
	f.until(func() bool { return f.asked() > before })
	logged := f.sim.Summary().Total
	cancel()
	<-done
	f.until(func() bool { return f.sim.Summary().Total > logged })
}

// asked is how many calls have come through the gate.
func (f *fixture) asked() (n int) {
	f.sim.faults.mu.Lock()
	defer f.sim.faults.mu.Unlock()
	for _, times := range f.sim.faults.asked {
		n += times
	}
	return n
}

// until waits for a condition.
func (f *fixture) until(met func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-ctx.Done():
			f.t.Fatal("waited too long")
		case <-tick.C:
		}
	}
}

func parseRules(t *testing.T, text string) []Rule {
	t.Helper()
	rules, err := ReadFaults(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestKinds has every kind of fault strike a query once: what the client sees,
// and whether the query may be asked again.
func TestKinds(t *testing.T) {
	t.Parallel()
	const rest, again = 200, 429 // status of the second asking: not registered, registered
	tests := []struct {
		fault string // JSON
		want  string // %d %s %q of the first answer, a beginning; "error" if there is none
		then  int
	}{
		{`{"kind":"500"}`, `500 application/json "{\"status\":500,\"error\":\"INTERNAL_SERVER_ERROR\",\"message\":\"500 Internal Server Error\"`, rest},
		{`{"kind":"500_no_message"}`, `500 application/json "{\"status\":500,\"error\":\"INTERNAL_SERVER_ERROR\",\"timestamp\"`, rest},
		{`{"kind":"500_jdbc"}`, `500 application/json "{\"status\":500,\"error\":\"INTERNAL_SERVER_ERROR\",\"message\":\"Unable to acquire JDBC`, rest},
		{`{"kind":"500_empty"}`, `500  ""`, rest},
		{`{"kind":"500","register":true}`, `500 application/json`, again},
		{`{"kind":"502"}`, `502 text/html "<html>\r\n<head><title>502 Bad Gateway`, rest},
		{`{"kind":"502_azure"}`, `502 text/html`, rest},
		{`{"kind":"503"}`, `503 text/html`, rest},
		{`{"kind":"504"}`, `504 text/html "<html>\r\n<head><title>504 Gateway Time-out`, rest},
		{`{"kind":"html200"}`, `200 text/html "\n\n\n<!DOCTYPE html>`, rest},
		{`{"kind":"429"}`, `429 application/json;charset=UTF-8 "Consulta ya realizada en las últimas 24 horas. "`, rest},
		{`{"kind":"401"}`, `401 application/json "{\"timestamp\":`, rest},
		{`{"kind":"401_plain"}`, `401 text/plain;charset=UTF-8 "401 Unauthorized\n"`, rest},
		{`{"kind":"expired_token"}`, `401 text/plain;charset=UTF-8 "401 Unauthorized\n"`, rest},
		{`{"kind":"404_no_data"}`, `404  "Data not found"`, rest},
		{`{"status":418,"body":"teapot","content_type":"text/tea"}`, `418 text/tea "teapot"`, rest},
		{`{"kind":"reset"}`, `error`, rest},
		{`{"kind":"cut"}`, `error`, rest},
		{`{"kind":"truncated"}`, `200 text/plain "[{\"cups\":\"` + home, rest},
		{`{"kind":"stall","delay":"1ms"}`, `error`, rest},
		{`{"kind":"stall","delay":"1ms","register":true}`, `error`, again},
		{`{"kind":"latency","delay":"1ms"}`, `200 text/plain "[{\"cups\":\"` + home, again},
		{`{"kind":"gzip_mislabelled"}`, `200 text/plain "[{\"cups\":\"` + home, again},
		{`{"kind":"empty"}`, `200 text/plain "[]"`, again},
		{`{"kind":"empty","register":false}`, `200 text/plain "[]"`, rest},
		{`{"kind":"outage"}`, `200 text/plain "[]"`, rest},
		{`{"kind":"outage_500"}`, `500 application/json`, rest},
	}
	for _, test := range tests {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			rules := parseRules(t, `[{"match":{"endpoint":"data","nth":1},"fault":`+test.fault+`}]`)
			f := start(t, Config{Faults: rules})
			token := f.login(anna)
			params := hourly(home, "2", "2026/10", "2026/10")
			first := f.get(token, "get-consumption-data", params)
			got := fmt.Sprintf("%d %s %q", first.status, first.kind, first.body)
			if first.err != nil {
				got = "error"
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got  %.300s\nwant %s", got, test.want)
			}
			if second := f.get(token, "get-consumption-data", params); second.status != test.then {
				t.Errorf("then %d, want %d", second.status, test.then)
			}
		})
	}
}

// TestSpoiltBodies looks at what the kinds do to a body that is otherwise good.
func TestSpoiltBodies(t *testing.T) {
	t.Parallel()
	f := start(t, Config{RepeatAfter: -1})
	token := f.login(anna)
	params := hourly(home, "2", "2026/10", "2026/10")
	spoilt := func(fault string) reply {
		if err := f.sim.SetFaults(parseRules(t, `[{"match":{},"fault":`+fault+`}]`)); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.sim.SetFaults(nil) }()
		return f.get(token, "get-consumption-data", params)
	}
	good := f.get(token, "get-consumption-data", params)
	var rows []any
	if got := spoilt(`{"kind":"truncated"}`); got.err != nil || json.Unmarshal([]byte(got.body), &rows) == nil || !strings.HasPrefix(good.body, got.body) {
		t.Errorf("truncated: %v, %d of %d bytes", got.err, len(got.body), len(good.body))
	}
	if got := spoilt(`{"kind":"cut"}`); !errors.Is(got.err, io.ErrUnexpectedEOF) || !strings.HasPrefix(good.body, got.body) || got.body == "" {
		t.Errorf("cut: %v, %d bytes", got.err, len(got.body))
	}
	if got := spoilt(`{"kind":"drop_rows","keep":0.9}`); json.Unmarshal([]byte(got.body), &rows) != nil || len(rows) > 730 || len(rows) < 600 {
		t.Errorf("drop_rows leaves %d rows of 745", len(rows))
	}
	if err := f.sim.SetFaults(parseRules(t, `[{"match":{},"fault":{"kind":"latin1","header":{"X-Odd":"1"}}}]`)); err != nil {
		t.Fatal(err)
	}
	if got := f.get(token, "get-supplies", nil); !strings.Contains(got.body, "EDISTRIBUCI\xd3N") {
		t.Errorf("latin1: %s", got.body)
	}
}

// TestFaultsAreReproducible strikes three in ten first calls: the same ones
// with the same seed, in any order, and in other proportions with another.
func TestFaultsAreReproducible(t *testing.T) {
	t.Parallel()
	const text = `[{"match":{"endpoint":"data","nth":1,"probability":0.3},"fault":{"kind":["500","502","html200","cut"]}}]`
	struck := func(seed uint64, backwards bool) map[string]string {
		f := start(t, Config{Seed: seed, World: testWorld(), Faults: parseRules(t, text)})
		token := f.login(anna)
		var queries []url.Values
		for m := range 23 {
			to := month{2025, 1}.plus(m).String()
			for _, kind := range []string{"0", "1"} {
				queries = append(queries, hourly(shop, "8", to, to, "measurementType", kind))
			}
		}
		if backwards {
			slices.Reverse(queries)
		}
		var wg sync.WaitGroup
		for _, q := range queries {
			wg.Go(func() {
				f.get(token, "get-consumption-data", q)
				f.get(token, "get-consumption-data-v2", q) // is spared
			})
		}
		wg.Wait()
		hits := make(map[string]string)
		for _, r := range f.sim.Requests() {
			if kind, ok := strings.CutPrefix(r.Outcome, "fault:"); ok {
				if r.Nth != 1 || r.Registered {
					t.Errorf("struck: %+v", r)
				}
				hits[r.Query] = kind
			}
		}
		return hits
	}
	first := struck(7, false)
	if n := len(first); n < 6 || n > 24 {
		t.Errorf("%d of 46 first calls failed", n)
	}
	kinds := make(map[string]bool)
	for _, kind := range first {
		kinds[kind] = true
	}
	if len(kinds) < 3 {
		t.Errorf("only these kinds: %v", slices.Collect(maps.Keys(kinds)))
	}
	if again := struck(7, true); !maps.Equal(first, again) {
		t.Errorf("the same seed struck\n%v\nand then\n%v", first, again)
	}
	if other := struck(8, false); maps.Equal(first, other) {
		t.Error("another seed struck the same queries")
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		match  string
		struck string // of the five calls below, 1 for each that was
	}{
		{`{}`, "11111"},
		{`{"endpoint":"data"}`, "11110"},
		{`{"endpoint":"consumption"}`, "11100"},
		{`{"path":"/api-private/api/get-max"}`, "00010"},
		{`{"cups":"ES0021"}`, "00100"},
		{`{"distributor":"8"}`, "00101"}, // a list of all distributors has to do with 8 too
		{`{"month":"2026-02"}`, "01000"},
		{`{"measurement":"1"}`, "00100"},
		{`{"account":"00000000T"}`, "00000"},
		{`{"until":"2026-11-10T09:00:00Z"}`, "00000"},
		{`{"from":"2026-11-10T09:00:00Z"}`, "11111"},
		{`{"nth":"2-"}`, "00000"},
		{`{"nth":"1-3","endpoint":"supplies"}`, "00001"},
		{`{"endpoint":"data","probability":1,"sticky":true}`, "11110"},
	}
	for _, test := range tests {
		t.Run(test.match, func(t *testing.T) {
			t.Parallel()
			f := start(t, Config{})
			token := f.login(anna)
			if err := f.sim.SetFaults(parseRules(t, `[{"match":`+test.match+`,"fault":{"status":599}}]`)); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, c := range []struct {
				call   string
				params url.Values
			}{
				{"get-consumption-data", hourly(home, "2", "2026/10", "2026/10")},
				{"get-consumption-data-v2", hourly(home, "2", "2026/01", "2026/03")},
				{"get-consumption-data", hourly(shop, "8", "2026/10", "2026/10", "measurementType", "1")},
				{"get-max-power", window(home, "2", "2026/10", "2026/10")},
				{"get-supplies", nil},
			} {
				if f.get(token, c.call, c.params).status == 599 {
					got += "1"
				} else {
					got += "0"
				}
			}
			if got != test.struck {
				t.Errorf("struck %s, want %s", got, test.struck)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	f := start(t, Config{Faults: parseRules(t, `[{"match":{"endpoint":"supplies"},"fault":{"kind":"502"},"times":2}]`)})
	token := f.login(anna)
	for i, want := range []int{502, 502, 200, 200} {
		if got := f.get(token, "get-supplies-v2", nil); got.status != want {
			t.Errorf("call %d: %d, want %d", i, got.status, want)
		}
	}
}

func TestFaultProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "read faults",
		`[{"match":{"nth":0},"fault":{"kind":"500"}}]`:           "nth: 0",
		`[{"match":{"nth":"3-2"},"fault":{"kind":"500"}}]`:       `nth: "3-2"`,
		`[{"match":{"probability":2},"fault":{"kind":"500"}}]`:   "probability: 2",
		`[{"match":{"endpoint":"data2"},"fault":{"kind":"5"}}]`:  "data2",
		`[{"match":{"month":"2026/01"},"fault":{"kind":"500"}}]`: "2026/01",
		`[{"match":{},"fault":{"kind":["500","bang"]}}]`:         "bang",
		`[{"match":{},"fault":{}}]`:                              "needs a kind or a status",
		`[{"match":{},"fault":{"kind":"500","odd":1}}]`:          "odd",
	} {
		if _, err := ReadFaults(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestKindsAreKnown keeps the list that the help shows and what is accepted
// the same.
func TestKindsAreKnown(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		if err := (Fault{Kind: Kind{kind}}).validate(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzReadFaults reads any rules; those that are good survive being written
// and read again.
func FuzzReadFaults(f *testing.F) {
	f.Add(`[{"match":{"endpoint":"data","nth":"1-3","probability":0.3,"from":"2026-11-10T09:00:00Z"},"fault":{"kind":["500","cut"],"delay":"5s"},"times":3}]`)
	f.Add(`[{"match":{"nth":1},"fault":{"status":418,"body":"x","header":{"Retry-After":"3"}}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ReadFaults(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := ReadFaults(strings.NewReader(string(mustJSON(rules))))
		if err != nil || len(again) != len(rules) {
			t.Fatalf("%s\nwas written as\n%s\n%v", text, mustJSON(rules), err)
		}
	})
}
