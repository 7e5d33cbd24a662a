package datadis

import (
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/badinput"
	"github.com/datadis-engine/datadis/sdk"
)

// badBodies are answers of Datadis that are of no use, to a query for hourly
// consumption.
var badBodies = []struct {
	name   string
	status int
	body   string
}{
	{"a page in the place of data", 200, "\n\n<!DOCTYPE html>\n<html><body>Servicio no disponible</body></html>"},
	{"a gateway's page", 502, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>"},
	{"an outage", 500, `{"status":500,"error":"INTERNAL_SERVER_ERROR","message":"Unable to acquire JDBC Connection","timestamp":"2026-11-23T02:00:00.000+0100"}`},
	{"an outage without a word", 500, ""},
	{"asked within 24 hours", 429, "Consulta ya realizada en las últimas 24 horas. "},
	{"too many requests", 429, "Too Many Requests"},
	{"a supply of somebody else", 400, "No se encuentra autorizado el cups introducido"},
	{"nothing authorised", 403, "No authorized supplies"},
	{"bad dates", 400, "Fechas incorrectas revise: Formato de fechas YYYY/MM, las fechas deben ser anteriores o iguales al mes actual"},
	{"no such path", 403, "403 Forbidden\n"},
	{"a redirection", 302, ""},
	{"no JSON", 200, "timeCurve"},
	{"cut off", 200, `{"timeCurve":[{"cups":"ES0031000000000001BJ0F","date":"2026/11/01","time":"01:00","consu`},
	{"a number", 200, "17"},
	{"another object", 200, `{"maxPower":[]}`},
	{"rows that are no objects", 200, `{"timeCurve":[1,2,3],"distributorError":[]}`},
	{"deeply nested", 200, strings.Repeat("[", 100_000)},
	{"not UTF-8", 200, "\xff\xfe{\x00}\x00"},
	{"a distributor that failed", 200, `{"timeCurve":[],"distributorError":[{"distributorCode":"2","errorCode":"10","errorDescription":"Error en la distribuidora"}]}`},
}

// What is said about answers of no use. Nothing personal is in it, nor what was
// sent to log in.
func TestBadInput(t *testing.T) {
	t.Parallel()
	var cases []badinput.Case
	for _, c := range badBodies {
		w := newWorld(t)
		w.say(consumptionCall.v2, c.status, c.body)
		w.say(consumptionCall.v1, c.status, c.body)
		cases = append(cases, badinput.Case{Name: c.name, Says: useless(t, w)})
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
	}{
		{"a refused login", 500, `{"status":500,"error":"Internal Server Error","message":"Bad credentials"}`},
		{"a token that is none", 200, "welcome"},
		{"a login page", 200, "<html>log in</html>"},
	} {
		w := newWorld(t, func(c *Config) { c.LoginRetry = 0 })
		w.say(loginCall.v2, c.status, c.body)
		cases = append(cases, badinput.Case{Name: c.name, Says: useless(t, w)})
	}
	badinput.Golden(t, *update, cases, "p&ss w%rd", "ES0031000000000001BJ", "12345678Z")
}

// useless asks, and returns why the answer is of no use.
func useless(t *testing.T, w *world) string {
	t.Helper()
	q := novemberQuery()
	answer, err := w.session().Fetch(t.Context(), q)
	if err != nil {
		return err.Error()
	}
	chunks, report, err := Decode(answer.Body, q.Shape())
	if err == nil {
		err = report.Failure()
	}
	if err != nil {
		return err.Error()
	}
	if readings(chunks) == 0 && report.Bad > 0 {
		return "(no sentence: the rows are counted as bad, and the raw copy has them)"
	}
	t.Fatalf("accepted: %+v", report)
	return ""
}

func readings(chunks []*sdk.Chunk) (n int) {
	for _, c := range chunks {
		n += c.Len()
	}
	return n
}
