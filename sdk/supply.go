package sdk

import (
	"encoding/json"
	"time"
)

// Supply is a supply point as one account sees it, with its contracts.
type Supply struct {
	Run           string
	Sources       []string // that the account's grants came from
	Username      NIF      // who is logged in
	AuthorizedNIF NIF      // the holder who authorised the login; "" for its own supplies

	CUPS             CUPS
	Distributor      Distributor
	DistributorName  string
	Address          string
	PostalCode       string // five digits; a lost leading zero is put back
	Province         string
	ProvinceCode     string // INE, "" where Datadis gives none
	Municipality     string
	MunicipalityCode string // INE, "" where Datadis gives none
	PointType        int    // 1 (largest) to 5 (homes)
	ValidFrom        time.Time
	ValidTo          time.Time // zero while active

	Contracts    []Contract
	Measurements []Series // gathered for this supply
	FetchedAt    time.Time

	// Raw is what was published: Datadis's own fields, those that this type
	// does not know included.
	Raw json.RawMessage
}

// Contract is a supply's contract with a retailer. Fields are empty, and times
// zero, where Datadis says nothing.
type Contract struct {
	Marketer           string
	Tension            string
	AccessFare         string
	FareCode           string    // CNMC: 2T, 3T, 61, …
	ContractedPower    []Decimal // kW, per tariff period
	TimeDiscrimination string
	PowerControl       string
	StartDate          time.Time
	EndDate            time.Time // zero while open
	LastMarketerDate   time.Time
	MaxPowerInstall    string // kW, as text
	Owners             []OwnerPeriod

	SelfConsumptionCode string
	SelfConsumption     string
	Section             string
	Subsection          string
	CAU                 string
	Partition           *Decimal
	InstalledCapacity   *Decimal // as sent: probably W
}

// OwnerPeriod is how long one holder had the contract.
type OwnerPeriod struct {
	Start time.Time
	End   time.Time // zero while it lasts
}
