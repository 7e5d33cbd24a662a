package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestCatalogue asks for every refusal that Datadis documents or was seen to
// give of itself.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	const (
		json = "application/json"
		utf8 = "application/json;charset=UTF-8"
		cups = "No se encuentra autorizado el cups introducido"
		date = "Fechas incorrectas revise: Formato de fechas YYYY/MM, las fechas deben ser anteriores o iguales al mes actual, fecha inicio no superior a fecha fin. La fecha inicio no puede ser superior a dos años."
		para = "Parámetro requerido en estado vacío, con formato erróneo, o con valores fuera de rango / Parámetro de ordenación erróneo"
	)
	without := func(params url.Values, name string) url.Values {
		params.Del(name)
		return params
	}
	ok := func(more ...string) url.Values { return hourly(home, "2", "2026/10", "2026/10", more...) }
	power := func(more ...string) url.Values { return window(home, "2", "2026/10", "2026/10", more...) }
	f := start(t, Config{})
	tests := []struct {
		name, user, call string
		params           url.Values
		want             reply
	}{
		{"nothing of one's own", bert, "get-supplies", nil, reply{404, utf8, "No supplies", nil}},
		{"nothing of one's own, v2", bert, "get-supplies-v2", nil, reply{404, utf8, "No supplies", nil}},
		{"nobody authorised it", anna, "get-supplies", url.Values{"authorizedNif": {"11111111H"}}, reply{403, json, "No authorized supplies", nil}},
		{"own NIF on supplies", anna, "get-supplies-v2", url.Values{"authorizedNif": {anna}}, reply{403, json, "No authorized supplies", nil}},
		{"cancelled consent", bert, "get-supplies", url.Values{"authorizedNif": {anna}}, reply{403, json, "No authorized supplies", nil}},
		{"NIF with spaces on supplies", anna, "get-supplies", url.Values{"authorizedNif": {firm + " "}}, reply{400, json, para, nil}},
		{"unknown distributor on supplies", anna, "get-supplies", url.Values{"distributorCode": {"9"}}, reply{400, json, para, nil}},

		{"CUPS of somebody else", bert, "get-consumption-data", ok(), reply{400, json, cups, nil}},
		{"CUPS that is not there", anna, "get-consumption-data", ok("cups", "ES0031999999999999XX0F"), reply{400, json, cups, nil}},
		{"lower-case CUPS", anna, "get-consumption-data-v2", ok("cups", strings.ToLower(home)), reply{400, json, cups, nil}},
		{"20 characters of a CUPS of 22", anna, "get-consumption-data-v2", ok("cups", home[:20]), reply{400, json, cups, nil}},
		{"own NIF on data", anna, "get-consumption-data-v2", ok("authorizedNif", anna), reply{400, json, cups, nil}},
		{"CUPS that the consent leaves out", anna, "get-consumption-data", hourly(tower, "5", "2026/10", "2026/10", "authorizedNif", firm), reply{400, json, cups, nil}},
		{"CUPS of somebody else on power", bert, "get-max-power-v2", power(), reply{400, json, cups, nil}},

		{"days in dates", anna, "get-consumption-data", ok("startDate", "2026/10/01", "endDate", "2026/10/31"), reply{400, json, date, nil}},
		{"dashes in dates", anna, "get-consumption-data", ok("startDate", "2026-10"), reply{400, json, date, nil}},
		{"month 13", anna, "get-consumption-data", ok("startDate", "2026/13"), reply{400, json, date, nil}},
		{"empty date", anna, "get-consumption-data", ok("endDate", ""), reply{400, json, date, nil}},
		{"future", anna, "get-consumption-data-v2", ok("endDate", "2026/12"), reply{400, json, date, nil}},
		{"start after end", anna, "get-consumption-data", ok("startDate", "2026/11"), reply{400, json, date, nil}},
		{"exactly two years back", anna, "get-consumption-data", hourly(shop, "8", "2024/11", "2024/12"), reply{400, json, date, nil}},
		{"before the contract", anna, "get-consumption-data", ok("startDate", "2025/02"), reply{400, json, date, nil}},
		{"two years back on power", anna, "get-max-power", window(shop, "8", "2024/11", "2024/12"), reply{400, json, para, nil}},
		{"future on reactive energy", anna, "get-reactive-data-v2", power("endDate", "2027/01"), reply{400, json, para, nil}},

		{"unknown distributor on consumption", anna, "get-consumption-data", ok("distributorCode", "9"), reply{400, json, "CUPS o distributor no válido ", nil}},
		{"unknown distributor on power", anna, "get-max-power-v2", power("distributorCode", "0"), reply{400, json, para, nil}},
		{"unknown distributor on contracts", anna, "get-contract-detail", power("distributorCode", "x"), reply{400, json, para, nil}},
		{"point type 9", anna, "get-consumption-data", ok("pointType", "9"), reply{400, json, "PointType incorrecto ", nil}},
		{"measurement type 7", anna, "get-consumption-data-v2", ok("measurementType", "7"), reply{400, json, "MeasurementType incorrecto ", nil}},
		{"NIF with spaces", anna, "get-consumption-data", ok("authorizedNif", " "+firm), reply{400, json, para, nil}},

		{"no CUPS", anna, "get-consumption-data", without(ok(), "cups"), reply{500, "", "", nil}},
		{"no point type", anna, "get-consumption-data-v2", without(ok(), "pointType"), reply{500, "", "", nil}},
		{"no end", anna, "get-max-power", without(power(), "endDate"), reply{500, "", "", nil}},
		{"no distributor", anna, "get-contract-detail-v2", url.Values{"cups": {home}}, reply{500, "", "", nil}},

		{"unknown path", anna, "get-nothing", nil, reply{403, "text/plain", "403 Forbidden\n", nil}},
		{"no version 1 of it", anna, "get-reactive-data", power(), reply{403, "text/plain", "403 Forbidden\n", nil}},
		{"no groups", anna, "get-groups-v2", nil, reply{200, json, "No groups", nil}},
	}
	tokens := map[string]string{anna: f.login(anna), bert: f.login(bert)}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := f.get(tokens[test.user], test.call, test.params); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestBoundaries asks for what lies just inside the limits.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	token := f.login(anna)
	tests := []struct {
		name, call string
		params     url.Values
		want       string // beginning of the body
	}{
		{"oldest month", "get-consumption-data", hourly(shop, "8", "2024/12", "2024/12"), `[{"cups":"` + shop},
		{"month of the contract's start", "get-consumption-data", hourly(home, "2", "2025/03", "2025/03"), `[{"cups":"` + home + `","date":"2025/03/10","time":"01:00"`},
		{"current month", "get-consumption-data-v2", hourly(home, "2", "2026/11", "2026/11"), `{"timeCurve":[{"cups":"` + home},
		{"the whole window in one call", "get-max-power", window(shop, "8", "2024/12", "2026/11"), `[{"cups":"` + shop},
		{"another point type", "get-consumption-data", hourly(home, "2", "2026/01", "2026/01", "pointType", "3"), `[{"cups":"` + home},
		{"another distributor that exists", "get-consumption-data-v2", hourly(home, "5", "2026/01", "2026/01"), `{"timeCurve":[],"distributorError":[]}`},
		{"quarters of a home", "get-consumption-data", hourly(home, "2", "2026/01", "2026/01", "measurementType", "1"), `[]`},
		{"quarters of point type 1", "get-consumption-data", hourly(plant, "2", "2026/01", "2026/01", "measurementType", "1", "authorizedNif", firm), `[{"cups":"` + plant + `","date":"2026/01/01","time":"00:15"`},
		{"lower-case NIF", "get-consumption-data", hourly(plant, "2", "2026/01", "2026/01", "authorizedNif", strings.ToLower(firm)), `[{"cups":"` + plant},
		{"empty NIF", "get-supplies", url.Values{"authorizedNif": {""}}, `[{"address":`},
		{"a contract that cannot be seen", "get-contract-detail", window(tower, "5", "", ""), `[{"cups":"","distributor":"","marketer":""`},
		{"a month before anything, without a date of validity", "get-reactive-data-v2", window(shop, "8", "2026/11", "2026/11"), `{"reactiveEnergy":{"cups":null,"energy":[],"code":null,"codeDescription":null},"distributorError":[{"distributorCode":"8","distributorName":"I-DE","errorCode":"8"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.get(token, test.call, test.params)
			if got.status != 200 || got.kind != "text/plain" || !strings.HasPrefix(got.body, test.want) {
				t.Errorf("got %d %s %.200s\nwant %s", got.status, got.kind, got.body, test.want)
			}
		})
	}
}

// TestUntoldStart asks a distributor that does not tell since when contracts
// are valid: a month before is empty, not wrong.
func TestUntoldStart(t *testing.T) {
	t.Parallel()
	world := testWorld()
	world.Supplies[1].From = "2026-05-01"
	f := start(t, Config{World: world})
	if got, want := f.get(f.login(anna), "get-consumption-data", hourly(shop, "8", "2026/01", "2026/01")), (reply{200, "text/plain", "[]", nil}); got != want {
		t.Errorf("got %+v", got)
	}
}

// TestHeaders checks what Datadis wants of every call.
func TestHeaders(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	good := f.login(anna)
	unauthorized := reply{401, "application/json", `{"timestamp":"2026-11-10T09:00:00.000+0000","status":401,"error":"Unauthorized","message":"No message available","path":"/api-private/api/get-supplies"}`, nil}
	tests := []struct {
		name, header, value string
		want                reply
	}{
		{"no Accept", "Accept", "", reply{400, "text/plain;charset=UTF-8", "Parámetro en cabecera requerido en estado vacío, con formato erróneo o con valores fuera de rango", nil}},
		{"agent of a library", "User-Agent", "Go-http-client/1.1", reply{403, "text/plain", "403 Forbidden\n", nil}},
		{"no token", "Authorization", "", unauthorized},
		{"garbage", "Authorization", "Bearer garbage", unauthorized},
		{"garbage with dots", "Authorization", "Bearer a.b.c", unauthorized},
		{"altered token", "Authorization", "Bearer " + strings.Replace(good, ".", ".e30", 1), unauthorized},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := f.request(http.MethodGet, apiPath+"get-supplies", good, nil)
			r.Header.Set(test.header, test.value)
			if test.value == "" {
				r.Header.Del(test.header)
			}
			if got := f.send(r); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// FuzzQuery sends any parameters: the simulator answers with one of its
// answers, and with data only where months and CUPS are in order.
func FuzzQuery(f *testing.F) {
	f.Add("get-consumption-data", "cups="+home+"&distributorCode=2&startDate=2026/10&endDate=2026%2F10&measurementType=0&pointType=5")
	f.Add("get-max-power-v2", "cups="+home+"&distributorCode=2&startDate=2026/10&endDate=2026/13")
	f.Add("get-reactive-data-v2", "cups=%zz;&startDate=0000/00")
	f.Add("get-supplies", "authorizedNif=+")
	sim, err := New(Config{World: testWorld(), RepeatAfter: -1})
	if err != nil {
		f.Fatal(err)
	}
	sim.SetNow(testNow)
	f.Fuzz(func(t *testing.T, name, query string) {
		c := &call{sim: sim, path: apiPath + name, now: testNow, account: anna}
		var known bool
		if c.endpoint, known = sim.calls[c.path]; !known || c.method != http.MethodGet {
			t.Skip()
		}
		c.params, _ = url.ParseQuery(query) // what can be read of it, as in ParseForm
		a := c.answer(c)
		if a.outcome == "" || a.status < 200 || a.status > 599 {
			t.Fatalf("no answer of Datadis: %+v", a)
		}
		if c.guarded && a.outcome == OutcomeOK && (c.get("cups") != home && c.get("cups") != shop && c.get("cups") != plant ||
			c.get("startDate") < "2024/12" || c.get("endDate") > "2026/11" || c.get("startDate") > c.get("endDate")) {
			t.Fatalf("data for %q", query)
		}
	})
}
