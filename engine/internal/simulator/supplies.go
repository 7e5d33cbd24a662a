package simulator

import (
	"slices"
	"strings"
	"time"
)

// listed is a supply as get-supplies has it.
type listed struct {
	Address          string `json:"address"`
	CUPS             string `json:"cups"`
	PostalCode       string `json:"postalCode"`
	Province         string `json:"province"`
	ProvinceCode     string `json:"provinceCode"`
	Municipality     string `json:"municipality"`
	MunicipalityCode string `json:"municipioCode"`
	Distributor      string `json:"distributor"`
	ValidFrom        string `json:"validDateFrom"`
	ValidTo          string `json:"validDateTo"`
	PointType        int    `json:"pointType"`
	DistributorCode  string `json:"distributorCode"`
}

const slashDate = "2006/01/02"

// listSupplies answers get-supplies.
func (c *call) listSupplies() answer {
	code := c.get("distributorCode")
	seen, problem := c.seenSupplies(code)
	if problem != "" {
		return c.canned(problem)
	}
	problems := c.foreign(seen, code)
	if c.kind == kindOutage || c.kind == kindOutage500 {
		var down []distributorError
		if seen, down = c.without(seen); c.version == 1 && c.kind == kindOutage500 && len(down) > 0 {
			return c.canned(internal)
		}
		problems = replaceErrors(problems, down)
	}
	if code != "" {
		seen = slices.DeleteFunc(seen, func(s *supply) bool { return s.Distributor != code })
	}
	if c.kind == kindShortList {
		d := newDice(c.sim.config.Seed, "short list", c.account)
		seen = slices.DeleteFunc(seen, func(s *supply) bool { return d.word(s.CUPS).share() >= c.fault.keep() })
	}
	rows := make([]listed, 0, len(seen))
	for _, s := range seen {
		rows = append(rows, s.rows(c.now)...)
	}
	outcome := OutcomeOK
	if len(rows) == 0 {
		outcome = OutcomeEmpty
	}
	return wrapped(c.version, "supplies", mustJSON(rows), problems, outcome)
}

// seenSupplies are those that the account sees at all, or the name of the
// answer that says why it sees none.
func (c *call) seenSupplies(code string) ([]*supply, string) {
	nif := c.get("authorizedNif")
	if nif != strings.TrimSpace(nif) || code != "" && c.sim.world.distributors[code] == nil {
		return nil, badParameter
	}
	seen := c.sim.world.visible(c.account, nif, c.now)
	switch {
	case len(seen) > 0:
		return seen, ""
	case nif != "":
		return nil, noAuthorized
	default:
		return nil, noSupplies
	}
}

// foreign are the errors of distributors, of all or of the one that was asked,
// that do not know the holder.
func (c *call) foreign(seen []*supply, code string) []distributorError {
	problems := []distributorError{}
	for _, d := range c.sim.world.companies() {
		known := slices.ContainsFunc(seen, func(s *supply) bool { return s.company == d })
		if !known && (code == "" || code == d.Code) {
			problems = append(problems, d.problem(foreignNIF))
		}
	}
	return problems
}

// without leaves out what a distributor that is down does not list.
func (c *call) without(seen []*supply) ([]*supply, []distributorError) {
	var down []distributorError
	for _, d := range c.sim.world.companies() {
		if asked := c.get("distributorCode"); c.down(d) && (asked == "" || asked == d.Code) {
			down = append(down, d.problem(c.outageCode()))
		}
	}
	return slices.DeleteFunc(seen, func(s *supply) bool { return c.down(s.company) }), down
}

// down tells whether the outage that strikes the call is that distributor's.
func (c *call) down(d *Distributor) bool {
	return (c.kind == kindOutage || c.kind == kindOutage500) && (c.outageOf == "" || c.outageOf == d.Code)
}

func (c *call) outageCode() string {
	if c.fault.Code != "" {
		return c.fault.Code
	}
	return "10"
}

// outage answers a call about a supply whose distributor is down.
func (c *call) outage(d *Distributor, key, empty string) (answer, bool) {
	switch {
	case !c.down(d):
		return answer{}, false
	case c.version == 1 && c.kind == kindOutage500:
		return c.canned(internal), true
	}
	return wrapped(c.version, key, []byte(empty), []distributorError{d.problem(c.outageCode())}, OutcomeEmpty), true
}

// replaceErrors puts the errors of distributors that are down in the place of
// what else there was to say of them.
func replaceErrors(problems, down []distributorError) []distributorError {
	problems = slices.DeleteFunc(problems, func(p distributorError) bool {
		return slices.ContainsFunc(down, func(d distributorError) bool { return d.Code == p.Code })
	})
	return append(problems, down...)
}

// companies are the distributors by their codes.
func (w *world) companies() []*Distributor {
	all := make([]*Distributor, 0, len(w.distributors))
	for _, d := range w.distributors {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Distributor) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// rows are a supply's rows, one per contract.
func (s *supply) rows(now time.Time) []listed {
	var rows []listed
	for _, p := range s.contracts(now) {
		row := s.row()
		if s.showsValidFrom() {
			row.ValidFrom = p.from.Format(slashDate)
		}
		row.ValidTo = lastDay(p.to, slashDate)
		rows = append(rows, row)
	}
	return rows
}

// contracts are those that have begun, each with an end only if that is past.
func (s *supply) contracts(now time.Time) []period {
	var begun []period
	for _, p := range append(slices.Clone(s.earlier), period{s.from, s.to}) {
		if p.to.After(now) {
			p.to = time.Time{}
		}
		if !p.from.After(now) {
			begun = append(begun, p)
		}
	}
	return begun
}

func (s *supply) row() listed {
	row := listed{
		Address: s.Address, CUPS: s.CUPS, PostalCode: s.PostalCode,
		Province: s.Province, Municipality: s.Municipality,
		Distributor: s.company.Name, PointType: s.PointType, DistributorCode: s.Distributor,
	}
	if s.company.ShortPostalCode {
		row.PostalCode = strings.TrimPrefix(row.PostalCode, "0")
	}
	for _, t := range towns() {
		if t.name == s.Municipality {
			row.ProvinceCode, row.MunicipalityCode = t.code, t.ine
		}
	}
	return row
}

// showsValidFrom tells whether the distributor says when contracts began.
func (s *supply) showsValidFrom() bool {
	return s.company.NoValidFrom == nil || !*s.company.NoValidFrom
}

// lastDay is the day before the midnight at which something ends, "" for
// never.
func lastDay(end time.Time, layout string) string {
	if end.IsZero() {
		return ""
	}
	return end.AddDate(0, 0, -1).Format(layout)
}

// listDistributors answers get-distributors-with-supplies.
func (c *call) listDistributors() answer {
	seen, problem := c.seenSupplies("")
	if problem != "" {
		return c.canned(problem)
	}
	problems := []distributorError{}
	if c.kind == kindOutage || c.kind == kindOutage500 {
		var down []distributorError
		seen, down = c.without(seen)
		problems = append(problems, down...)
	}
	codes := []string{}
	for _, d := range c.sim.world.companies() {
		if slices.ContainsFunc(seen, func(s *supply) bool { return s.company == d }) {
			codes = append(codes, d.Code)
		}
	}
	type existing struct {
		Codes []string `json:"distributorCodes"`
	}
	a := answer{status: 200, contentType: plainJSON, outcome: OutcomeOK}
	if a.body = mustJSON([]existing{{codes}}); c.version == 2 {
		a.body = mustJSON(struct {
			Problems []distributorError `json:"distributorError"`
			Existing existing           `json:"distExistenceUser"`
		}{problems, existing{codes}})
	}
	return a
}
