package datadis

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// Query asks for measurements of one supply. CUPS, Distributor and PointType
// are sent exactly as the listing gave them.
type Query struct {
	NIF         sdk.NIF // the holder who authorised the login; "" for its own supplies
	CUPS        sdk.CUPS
	Distributor sdk.Distributor
	Series      sdk.Series
	From, To    sdk.Month // both included
	PointType   int       // for consumption only
}

// Key names the query for the rule that an identical one is refused for 24
// hours (datadis-api.md 8.3): 32 hexadecimal digits. The login's id is part of
// it. Maximum power and reactive energy over the same months share a key,
// whatever the NIF; both versions of the API share all of them.
func (q Query) Key(login string) string {
	parts := []string{login, string(q.CUPS), string(q.Distributor), q.From.String(), q.To.String()}
	if q.Series.Property == sdk.Energy {
		parts = append(parts, measurementType(q.Series), strconv.Itoa(q.PointType), string(q.NIF))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return hex.EncodeToString(sum[:16])
}

// endpoint is where to ask, nil for a series that Datadis does not have.
func (q Query) endpoint() *endpoint {
	switch q.Series {
	case sdk.EnergyHourly, sdk.EnergyQuarterHour:
		return consumptionCall
	case sdk.PowerMonthly:
		return powerCall
	case sdk.ReactiveMonthly:
		return reactiveCall
	default:
		return nil
	}
}

// validate refuses what must not be sent: a missing parameter is answered with
// an empty 500 that looks like an outage.
func (q Query) validate() error {
	switch {
	case q.endpoint() == nil:
		return fmt.Errorf("there is no series %s", q.Series)
	case q.CUPS == "":
		return errors.New("the CUPS is missing")
	case q.Distributor == "":
		return errors.New("the distributor is missing")
	case q.From > q.To:
		return fmt.Errorf("the months end (%s) before they start (%s)", q.To, q.From)
	case q.Series.Property == sdk.Energy && q.PointType == 0:
		return errors.New("the point type is missing")
	}
	return nil
}

// params are the parameters of the call.
func (q Query) params() url.Values {
	params := url.Values{
		"cups":            {string(q.CUPS)},
		"distributorCode": {string(q.Distributor)},
		"startDate":       {wireMonth(q.From)},
		"endDate":         {wireMonth(q.To)},
	}
	if q.Series.Property == sdk.Energy {
		params.Set("measurementType", measurementType(q.Series))
		params.Set("pointType", strconv.Itoa(q.PointType))
	}
	addNIF(params, q.NIF)
	return params
}

// addNIF adds the authorised NIF. For own supplies it must be left out: the
// login's own NIF is refused.
func addNIF(params url.Values, nif sdk.NIF) {
	if nif != "" {
		params.Set("authorizedNif", string(nif))
	}
}

func measurementType(series sdk.Series) string {
	if series.Resolution == sdk.QuarterHour {
		return "1"
	}
	return "0"
}

// wireMonth writes a month as Datadis does: 2026/03.
func wireMonth(m sdk.Month) string { return strings.ReplaceAll(m.String(), "-", "/") }
