package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// endpoint is one path of Datadis.
type endpoint struct {
	name    string // as the log and the faults name it
	version int
	guarded bool // by the 24-hour rule
	method  string
	answer  func(*call) answer
}

// call is one request on its way through the simulator.
type call struct {
	sim *Simulator
	endpoint
	path    string
	params  url.Values
	now     time.Time // simulated
	began   time.Time // real
	client  string    // where it came from
	account string    // username
	strike

	registered bool // under the 24-hour rule
	abandoned  bool // the client did not wait for the answer
}

// Names of endpoints, for faults and in the log. EndpointData in a fault means
// the three that the 24-hour rule guards.
const (
	EndpointLogin        = "login"
	EndpointSupplies     = "supplies"
	EndpointDistributors = "distributors"
	EndpointContract     = "contract"
	EndpointConsumption  = "consumption"
	EndpointPower        = "power"
	EndpointReactive     = "reactive"
	EndpointConsents     = "authorizations"
	EndpointGroups       = "groups"
	EndpointData         = "data"
	endpointUnknown      = "unknown"
)

const apiPath = "/api-private/api/"

func (s *Simulator) endpoints() map[string]endpoint {
	calls := map[string]endpoint{
		"/nikola-auth/tokens/login":    {EndpointLogin, 1, false, http.MethodPost, (*call).logIn},
		apiPath + "list-authorization": {EndpointConsents, 1, false, http.MethodGet, (*call).listConsents},
		apiPath + "get-groups-v2":      {EndpointGroups, 2, false, http.MethodGet, (*call).listGroups},
	}
	for path, e := range map[string]endpoint{
		"get-supplies":                   {EndpointSupplies, 1, false, http.MethodGet, (*call).listSupplies},
		"get-distributors-with-supplies": {EndpointDistributors, 1, false, http.MethodGet, (*call).listDistributors},
		"get-contract-detail":            {EndpointContract, 1, false, http.MethodGet, (*call).contract},
		"get-consumption-data":           {EndpointConsumption, 1, true, http.MethodGet, (*call).consumption},
		"get-max-power":                  {EndpointPower, 1, true, http.MethodGet, (*call).power},
	} {
		calls[apiPath+path] = e
		e.version = 2
		calls[apiPath+path+"-v2"] = e
	}
	calls[apiPath+"get-reactive-data-v2"] = endpoint{EndpointReactive, 2, true, http.MethodGet, (*call).reactive}
	return calls
}

// serve answers as Datadis.
func (s *Simulator) serve(w http.ResponseWriter, r *http.Request) {
	c := &call{sim: s, path: r.URL.Path, client: r.RemoteAddr, now: s.clock.now(), began: time.Now()}
	var known bool
	if c.endpoint, known = s.calls[r.URL.Path]; !known || c.method != r.Method {
		c.endpoint = endpoint{name: endpointUnknown}
	}
	a, stopped := c.gate(r)
	if !stopped {
		a = c.handle(r)
	}
	c.log(a)
	c.send(w, r, a)
}

// gate turns calls away that never reach an endpoint.
func (c *call) gate(r *http.Request) (answer, bool) {
	_ = r.ParseForm() // what cannot be read is as good as not sent
	c.params = r.Form
	switch {
	case c.name == endpointUnknown, c.blocked(r.UserAgent()):
		return c.canned(forbidden), true
	case c.name == EndpointLogin:
		c.account = c.params.Get("username")
		return answer{}, false
	case r.Header.Get("Accept") == "":
		return c.canned(noAccept), true
	}
	account, err := c.sim.tokens.read(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), c.now)
	if err != nil {
		return c.canned(badToken), true
	}
	c.account = account
	return answer{}, false
}

func (c *call) blocked(agent string) bool {
	for _, beginning := range c.sim.config.BlockedAgents {
		if strings.HasPrefix(agent, beginning) {
			return true
		}
	}
	return false
}

// handle answers a call that came through the gate. The order is that of what
// shows most of a client's mistakes: a query that the rule refuses is refused
// even where a fault would have struck.
func (c *call) handle(r *http.Request) answer {
	c.strike = c.sim.faults.strike(c)
	c.wait(r)
	key := c.ruleKey()
	if key != "" && c.sim.rule.refuses(key, c.now) {
		c.strike = strike{nth: c.nth}
		return c.canned(repeated)
	}
	if c.fault != nil && c.replaces() {
		a := c.faultAnswer()
		c.register(key, a)
		return a
	}
	a := c.answer(c)
	if !c.register(key, a) {
		return c.canned(repeated)
	}
	return a
}

// register makes a query count as asked, if its answer makes it so. It is
// false if the same query was answered at this very moment.
func (c *call) register(key string, a answer) bool {
	if key == "" || !c.counts(a) {
		return true
	}
	fresh, err := c.sim.rule.admit(key, c.now)
	if err != nil {
		c.sim.config.Logger.Error("cannot remember a query", "error", err)
	}
	c.registered = fresh
	return fresh
}

// counts tells whether an answer makes the rule apply to its query.
func (c *call) counts(a answer) bool {
	mode := c.sim.config.Repeat
	switch {
	case c.fault != nil && c.fault.Register != nil:
		return *c.fault.Register
	case c.fault != nil && c.loses():
		return false
	case c.abandoned && mode.ForgetAbandoned:
		return false
	default:
		return a.status == http.StatusOK || mode.AnyAnswer
	}
}

func (c *call) canned(name string) answer { return canned(name, c.path, c.now) }

// get is a parameter; "" if it was not sent.
func (c *call) get(name string) string { return c.params.Get(name) }
