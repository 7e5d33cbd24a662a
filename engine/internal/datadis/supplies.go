package datadis

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// Listing is the supplies that an account can see.
type Listing struct {
	// Supplies is every row that Datadis sent, in its order. Successive
	// contracts make several rows of one CUPS; see Current.
	Supplies []sdk.Supply
	// Errors is what distributors said. A listing with a failure among them
	// is incomplete.
	Errors []DistributorError
	// Bad counts the rows without a CUPS.
	Bad int
}

// Failed lists the distributors that could not answer. Their supplies may be
// missing; asking for each of them alone is the way to get them.
func (l Listing) Failed() []sdk.Distributor {
	var failed []sdk.Distributor
	for _, e := range l.Errors {
		if e.Failure() {
			failed = append(failed, e.Distributor)
		}
	}
	return failed
}

// Current is one row per supply: the active one, else the latest.
func (l Listing) Current() []sdk.Supply {
	at := make(map[sdk.CUPS]int, len(l.Supplies))
	var current []sdk.Supply
	for _, supply := range l.Supplies {
		i, seen := at[supply.CUPS.Key()]
		switch {
		case !seen:
			at[supply.CUPS.Key()] = len(current)
			current = append(current, supply)
		case newer(supply, current[i]):
			current[i] = supply
		}
	}
	return current
}

// newer tells whether row a of a supply is to be preferred to row b.
func newer(a, b sdk.Supply) bool {
	if a.ValidTo.IsZero() != b.ValidTo.IsZero() {
		return a.ValidTo.IsZero()
	}
	return a.ValidFrom.After(b.ValidFrom)
}

// Supplies lists the supplies of the login itself, or of the holder of the
// given NIF who authorised it. A distributor's code asks that one alone, "" all
// of them. An account without supplies gets an empty listing.
func (s *Session) Supplies(ctx context.Context, nif sdk.NIF, distributor sdk.Distributor) (Listing, error) {
	params := url.Values{}
	addNIF(params, nif)
	if distributor != "" {
		params.Set("distributorCode", string(distributor))
	}
	answer, err := s.ask(ctx, suppliesCall, params)
	if errors.Is(err, ErrNoData) {
		return Listing{}, nil
	}
	if err != nil {
		return Listing{}, err
	}
	listing, err := DecodeSupplies(answer.Body)
	if err != nil {
		return Listing{}, unusable(suppliesCall, answer, err)
	}
	for i := range listing.Supplies {
		listing.Supplies[i].FetchedAt = answer.ReceivedAt
		listing.Supplies[i].AuthorizedNIF = nif
	}
	return listing, nil
}

// unusable is the error for an answer that is JSON, but not the documented one.
func unusable(e *endpoint, answer Answer, err error) error {
	return &Error{Kind: ErrUnavailable, Endpoint: e.name, Status: answer.Status, Err: err}
}

// DecodeSupplies reads the body of a listing.
func DecodeSupplies(body []byte) (Listing, error) {
	var listing Listing
	failures, err := document(body, "supplies", func(dec *jsontext.Decoder) error {
		return array(dec, func(dec *jsontext.Decoder) error {
			f, raw, err := readFields(dec)
			switch {
			case err != nil:
				return err
			case strings.TrimSpace(f.exact("cups")) == "":
				listing.Bad++
			default:
				listing.Supplies = append(listing.Supplies, f.supply(raw))
			}
			return nil
		})
	})
	listing.Errors = failures
	return listing, err
}

// supply is a row of a listing. What is sent back to Datadis stays exactly as
// it is.
func (f fields) supply(raw jsontext.Value) sdk.Supply {
	return sdk.Supply{
		CUPS:             sdk.CUPS(f.exact("cups")),
		Distributor:      sdk.Distributor(f.exact("distributorCode")),
		DistributorName:  f.text("distributor"),
		Address:          f.text("address"),
		PostalCode:       f.postalCode("postalCode"),
		Province:         f.text("province"),
		ProvinceCode:     f.text("provinceCode"),
		Municipality:     f.text("municipality"),
		MunicipalityCode: f.text("municipioCode"),
		PointType:        f.integer("pointType"),
		ValidFrom:        f.date("validDateFrom"),
		ValidTo:          f.date("validDateTo"),
		Raw:              json.RawMessage(raw),
	}
}

// postalCode is a postal code with the leading zero that Datadis may lose.
func (f fields) postalCode(name string) string {
	code := f.text(name)
	if len(code) == 4 && strings.Trim(code, "0123456789") == "" {
		return "0" + code
	}
	return code
}

// Distributors lists the distributors that have supplies of the account, and
// what the others said.
func (s *Session) Distributors(ctx context.Context, nif sdk.NIF) ([]sdk.Distributor, []DistributorError, error) {
	params := url.Values{}
	addNIF(params, nif)
	answer, err := s.ask(ctx, distributorsCall, params)
	if errors.Is(err, ErrNoData) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	codes, failures, err := DecodeDistributors(answer.Body)
	if err != nil {
		return nil, nil, unusable(distributorsCall, answer, err)
	}
	return codes, failures, nil
}

// DecodeDistributors reads the body of that call: version 2 wraps an object;
// version 1 sends it bare, or in an array.
func DecodeDistributors(body []byte) ([]sdk.Distributor, []DistributorError, error) {
	var codes []sdk.Distributor
	add := func(list []jsontext.Value) {
		for _, value := range list {
			if code := (fields{"": value}).text(""); code != "" {
				codes = append(codes, sdk.Distributor(code))
			}
		}
	}
	object := func(dec *jsontext.Decoder) error {
		f, _, err := readFields(dec)
		add(f.list("distributorCodes"))
		return err
	}
	failures, err := document(body, "distExistenceUser", func(dec *jsontext.Decoder) error {
		if dec.PeekKind() == '[' {
			return array(dec, object)
		}
		return object(dec)
	})
	if err == nil {
		return codes, failures, nil
	}
	if _, bare := document(body, "distributorCodes", func(dec *jsontext.Decoder) error {
		list, err := dec.ReadValue()
		add(elements(list))
		return err
	}); bare == nil {
		return codes, nil, nil
	}
	return nil, nil, err
}
