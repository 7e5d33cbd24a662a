package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// contractRow is a contract as get-contract-detail has it. The pointers are
// null where Datadis has nothing to say.
type contractRow struct {
	CUPS                string        `json:"cups"`
	Distributor         string        `json:"distributor"`
	Marketer            string        `json:"marketer"`
	Tension             string        `json:"tension"`
	AccessFare          string        `json:"accessFare"`
	Province            string        `json:"province"`
	Municipality        string        `json:"municipality"`
	PostalCode          string        `json:"postalCode"`
	ContractedPower     []kilowatts   `json:"contractedPowerkW"`
	TimeDiscrimination  string        `json:"timeDiscrimination"`
	PowerControl        string        `json:"modePowerControl"`
	StartDate           string        `json:"startDate"`
	EndDate             string        `json:"endDate"`
	CodeFare            string        `json:"codeFare"`
	SelfConsumptionCode *string       `json:"selfConsumptionTypeCode"`
	SelfConsumption     *string       `json:"selfConsumptionTypeDesc"`
	Section             *string       `json:"section"`
	Subsection          *string       `json:"subsection"`
	Partition           *float64      `json:"partitionCoefficient"`
	CAU                 *string       `json:"cau"`
	InstalledCapacity   *float64      `json:"installedCapacity"`
	Owners              []ownerPeriod `json:"dateOwner"`
	LastMarketerDate    *string       `json:"lastMarketerDate"`
	MaxPowerInstall     *string       `json:"maxPowerInstall"`
}

// ownerPeriod has dates with dashes, unlike all else.
type ownerPeriod struct {
	Start string `json:"startDate"`
	End   string `json:"endDate"`
}

// kilowatts keep one digit after the point, as Java prints doubles.
type kilowatts float64

// MarshalJSON writes three decimals at most.
func (k kilowatts) MarshalJSON() ([]byte, error) {
	return appendThousandths(nil, int64(float64(k)*1000+0.5)), nil
}

// contract answers get-contract-detail. A CUPS that the account does not see
// has one blank row.
func (c *call) contract() answer {
	if !c.has("cups", "distributorCode") {
		return c.canned(missing)
	}
	if problem := c.checkCommon(); problem != "" {
		return c.canned(problem)
	}
	s := c.sim.world.supply(c.account, c.get("authorizedNif"), c.get("cups"), c.now)
	if s == nil || s.Distributor != c.get("distributorCode") {
		blank := []contractRow{{ContractedPower: []kilowatts{}}}
		return wrapped(c.version, "contract", mustJSON(blank), []distributorError{}, OutcomeEmpty)
	}
	if a, down := c.outage(s.company, "contract", "[]"); down {
		return a
	}
	var rows []contractRow
	for _, p := range s.contracts(c.now) {
		rows = append(rows, s.contractRow(p, c.get("authorizedNif") == ""))
	}
	return wrapped(c.version, "contract", mustJSON(rows), []distributorError{}, OutcomeOK)
}

func (s *supply) contractRow(p period, owner bool) contractRow {
	listed := s.row()
	row := contractRow{
		CUPS: s.CUPS, Distributor: listed.Distributor, Marketer: "-",
		Province: s.Province, Municipality: s.Municipality, PostalCode: listed.PostalCode,
		StartDate: p.from.Format(slashDate), EndDate: lastDay(p.to, slashDate),
		Owners: []ownerPeriod{{Start: s.first().Format(time.DateOnly), End: lastDay(p.to, time.DateOnly)}},
	}
	if owner {
		row.Marketer = pick(s.dice.word("marketer"), []string{"COMERCIALIZADORA UNO, S.L.", "ENERGÍA DOS, S.A.", "LUZ TRES SLU"})
	}
	for _, kw := range s.Powers {
		row.ContractedPower = append(row.ContractedPower, kilowatts(kw))
	}
	marketer, install := row.StartDate, fmt.Sprintf("%.3f", slices.Max(s.Powers)*1.1)
	row.LastMarketerDate, row.MaxPowerInstall = &marketer, &install
	s.fare(&row)
	s.selfConsumption(&row)
	return row
}

// fare fills in what goes with the point type.
func (s *supply) fare(row *contractRow) {
	switch s.PointType {
	case 5:
		row.Tension, row.CodeFare, row.PowerControl = "Baja tensión", "2T", "ICP"
		row.AccessFare = "BAJA TENSION y POTENCIA <= 15 kW"
	case 4, 3:
		row.Tension, row.CodeFare, row.PowerControl = "BAJA TENSION", "3T", "Maxímetro"
		row.AccessFare = "BAJA TENSION Y POTENCIA  > 15 kW"
	default:
		row.Tension, row.CodeFare, row.PowerControl = "ALTA TENSION", "61", "MAXIMETRO"
		row.AccessFare = "ALTA TENSION DE 1 A 30 kV"
	}
	if s.Distributor == "2" {
		row.TimeDiscrimination = "TARIFA DE TRES PERIODOS"
	}
}

// selfConsumption fills in what supplies with surplus have.
func (s *supply) selfConsumption(row *contractRow) {
	if !s.Surplus {
		return
	}
	code, text, section, sub := "41", "Con excedentes y compensación Individual - Consumo", "2", "a0"
	cau, capacity, coefficient := s.CUPS[:20]+"0F"+"A000", 3600.0, 1.0
	row.SelfConsumptionCode, row.SelfConsumption, row.Section, row.Subsection = &code, &text, &section, &sub
	row.CAU, row.InstalledCapacity, row.Partition = &cau, &capacity, &coefficient
}

// consentRow is a consent as list-authorization has it.
type consentRow struct {
	ID        int    `json:"id"`
	Owner     string `json:"ownerDocument"`
	Requester string `json:"requesterDocument"`
	CUPS      string `json:"cups"`
	Status    string `json:"status"`
	Start     string `json:"validityDateStart"`
	End       string `json:"validityDateEnd"`
	Father    string `json:"distributorCodeFather"`
}

// listConsents answers list-authorization.
func (c *call) listConsents() answer {
	rows := []consentRow{}
	for i, src := range c.sim.world.source.Consents {
		owner := strings.ToUpper(c.get("ownerNif"))
		if src.Login != c.account || owner != "" && owner != src.Holder {
			continue
		}
		for _, s := range c.sim.world.byHolder[src.Holder] {
			if len(src.CUPS) > 0 && !slices.Contains(src.CUPS, s.CUPS) {
				continue
			}
			rows = append(rows, consentRow{
				ID: 28_000 + i*100 + len(rows), Owner: src.Holder, Requester: c.account, CUPS: s.CUPS, Status: cmp.Or(src.Status, inForce),
				Start: cmp.Or(src.From, "2020-01-01") + " 00:00:00.0", End: cmp.Or(src.To, "2036-12-31") + " 23:59:59.0",
				Father: s.CUPS[2:6],
			})
		}
	}
	return answer{status: 200, contentType: plainJSON, body: mustJSON(rows), outcome: OutcomeOK}
}

// listGroups answers get-groups-v2: nobody has any.
func (c *call) listGroups() answer {
	return answer{status: 200, contentType: plainJSON, body: []byte("No groups"), outcome: OutcomeEmpty}
}
