package datadis

import (
	"strings"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// DistributorError is what a distributor said instead of, or beside, its data
// (datadis-api.md 4.9). Only version 2 of the API has them.
type DistributorError struct {
	Distributor sdk.Distributor
	Name        string
	Code        string
	Description string
}

// Benign tells that the distributor just has no such customer.
func (e DistributorError) Benign() bool { return e.Code == "2" && !e.internal() }

// NoData tells that the distributor has nothing for the months asked.
func (e DistributorError) NoData() bool { return e.Code == "8" && !e.internal() }

// Failure tells that the distributor should be asked again: anything that is
// not known to be harmless.
func (e DistributorError) Failure() bool { return !e.Benign() && !e.NoData() }

// internal tells that the text speaks of an internal error, whatever the code
// says.
func (e DistributorError) internal() bool {
	return strings.Contains(strings.ToLower(e.Description), "error interno")
}

// Error implements error.
func (e DistributorError) Error() string {
	return "distributor " + string(e.Distributor) + ": " + e.Code + " " + message([]byte(e.Description), nil)
}

// distributorErrors reads the list of them.
func distributorErrors(dec *jsontext.Decoder) ([]DistributorError, error) {
	var all []DistributorError
	if kind := dec.PeekKind(); kind != '[' {
		return nil, dec.SkipValue()
	}
	err := array(dec, func(dec *jsontext.Decoder) error {
		f, _, err := readFields(dec)
		if err != nil || f == nil {
			return err
		}
		all = append(all, DistributorError{
			Distributor: sdk.Distributor(f.text("distributorCode")),
			Name:        f.text("distributorName"),
			Code:        f.text("errorCode"),
			Description: f.text("errorDescription"),
		})
		return nil
	})
	return all, err
}
