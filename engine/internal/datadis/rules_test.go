package datadis

import (
	"io"
	"net/http"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// TestRobustClient has a test for every row of datadis-api.md 10, by its
// number, of as much of it as this package answers for. What to ask and when
// (6, 8), and which listing to believe (4), is decided by its callers.
func TestRobustClient(t *testing.T) {
	t.Parallel()
	t.Run("1 headers on every call", TestHeadersOnEveryCall)
	t.Run("1 content types are ignored", testContentTypes)
	t.Run("2 one token per login", TestTokenIsKept)
	t.Run("2 one more login on 401", TestRefusedTokenIsRenewedOnce)
	t.Run("2 bad credentials are not hammered", TestRefusedLoginIsNotHammered)
	t.Run("3 version 2, and version 1 in the same decoder", TestVersionsAndEncodings)
	t.Run("3 a server without version 2", TestServerWithoutVersion2)
	t.Run("3 errors of distributors are data", TestDistributorErrorsOfAnswers)
	t.Run("4 supplies of one distributor, and who failed", TestSupplies)
	t.Run("5 parameters exactly as listed", TestParametersOfQueries)
	t.Run("5 own supplies without a NIF", TestOwnSuppliesAreAskedWithoutNIF)
	t.Run("5 no parameter is left out", TestIncompleteQueriesAreNotSent)
	t.Run("6 one month per call", testOneMonthPerCall)
	t.Run("7 keys of guarded queries", TestQueryKey)
	t.Run("7 time-outs may be registered", TestTimeOut)
	t.Run("7 a repeated query is not repeated", testRepeatedQuery)
	t.Run("8 a month is complete by its real hours", TestEveryMonth)
	t.Run("9 guarded queries are sent once", TestGuardedQueriesAreSentOnce)
	t.Run("9 other calls are tried again", TestUnguardedCallsAreTriedAgain)
	t.Run("10 what statuses mean", TestClassify)
	t.Run("10 no supplies are an empty list", TestSuppliesThatAreNone)
	t.Run("10 a blank contract is none", TestContractsThatAreNone)
	t.Run("11 the autumn day", TestAutumnChangeDay)
	t.Run("11 the spring day", TestSpringChangeDay)
	t.Run("11 midnight", TestMidnightLabels)
	t.Run("11 one bad row", TestOneBadRowCostsNothingElse)
	t.Run("12 decimals from the text, null is not 0", TestValues)
	t.Run("13 changed content has another hash", TestHash)
	t.Run("14 cancellation", TestCancelled)
	t.Run("14 bounded bodies", TestBodiesAreBounded)
	t.Run("15 nothing personal is said", TestNothingPersonalIsSaid)
}

func testContentTypes(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"text/plain", "text/html", "application/json;charset=ISO-8859-1", "nonsense"} {
		w := newWorld(t)
		w.on(consumptionCall.v2, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", label)
			_, _ = io.WriteString(rw, emptyCurve)
		})
		if answer, err := w.session().Fetch(t.Context(), novemberQuery()); err != nil || string(answer.Body) != emptyCurve {
			t.Errorf("%s: got %q, %v", label, answer.Body, err)
		}
	}
}

func testOneMonthPerCall(t *testing.T) {
	t.Parallel()
	query := novemberQuery().params()
	if query.Get("startDate") != "2026/11" || query.Get("endDate") != "2026/11" {
		t.Errorf("the months are asked as %v", query)
	}
}

func testRepeatedQuery(t *testing.T) {
	t.Parallel()
	for _, series := range []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly, sdk.ReactiveMonthly} {
		w := newWorld(t)
		q := novemberQuery()
		q.Series = series
		path := q.endpoint().v2
		w.say(path, 429, "Consulta ya realizada en las últimas 24 horas. ")
		if _, err := w.session().Fetch(t.Context(), q); err == nil || w.count(path) != 1 {
			t.Errorf("%s: %v after %d requests", series, err, w.count(path))
		}
	}
}
