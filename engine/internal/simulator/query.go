package simulator

import (
	"slices"
	"strings"
)

// query are the checked parameters of a data call.
type query struct {
	supply      *supply // nil where the distributor has no such supply: an empty answer
	from, to    month
	quarterHour bool
}

// parse checks the parameters of a data call. The name of an answer of the
// catalogue comes back if they are wrong, else "".
func (c *call) parse() (query, string) {
	required := []string{"cups", "distributorCode", "startDate", "endDate"}
	if c.name == EndpointConsumption {
		required = append(required, "measurementType", "pointType")
	}
	if !c.has(required...) {
		return query{}, missing
	}
	if problem := c.checkCommon(); problem != "" {
		return query{}, problem
	}
	var q query
	if c.name == EndpointConsumption {
		if problem := c.checkTypes(); problem != "" {
			return q, problem
		}
		q.quarterHour = c.get("measurementType") == "1"
	}
	dates := badDates
	if c.name != EndpointConsumption {
		dates = badParameter
	}
	var ok bool
	if q.from, q.to, ok = c.months(); !ok {
		return q, dates
	}
	s := c.sim.world.supply(c.account, c.get("authorizedNif"), c.get("cups"), c.now)
	switch {
	case s == nil:
		return q, cupsRefused
	case s.showsValidFrom() && q.from.before(monthOf(s.first())):
		return q, dates
	case s.Distributor == c.get("distributorCode"):
		q.supply = s
	}
	return q, ""
}

// has tells whether all parameters were sent; an empty one was.
func (c *call) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !c.params.Has(name) })
}

// checkCommon checks what all calls about a supply have.
func (c *call) checkCommon() string {
	if nif := c.get("authorizedNif"); nif != strings.TrimSpace(nif) {
		return badParameter
	}
	if c.sim.world.distributors[c.get("distributorCode")] != nil {
		return ""
	}
	if c.name == EndpointConsumption {
		return badDistributor
	}
	return badParameter
}

// checkTypes checks the two types of a consumption query. A point type that is
// not the supply's own is let through, as the real one does.
func (c *call) checkTypes() string {
	if p := c.get("pointType"); len(p) != 1 || p < "1" || p > "5" {
		return badPointType
	}
	if m := c.get("measurementType"); m != "0" && m != "1" {
		return badMeasurement
	}
	return ""
}

// months are the months asked for: not in the future, not over two years back,
// in order.
func (c *call) months() (from, to month, ok bool) {
	from, okFrom := parseMonth(c.get("startDate"))
	to, okTo := parseMonth(c.get("endDate"))
	ok = okFrom && okTo && !to.before(from) && !monthOf(c.now).before(to) && !from.before(oldest(c.now))
	return from, to, ok
}
