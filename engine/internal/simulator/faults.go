package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rule makes the calls that match fail. The first rule of a list that matches
// decides, even where its dice then spare the call.
type Rule struct {
	Match Match `json:"match"`
	Fault Fault `json:"fault"`
	// Times is how often the rule strikes at most; 0: for ever. Who is struck
	// then depends on who comes first.
	Times int `json:"times,omitempty"`
}

// Match says which calls are meant. What is left out matches everything.
type Match struct {
	Endpoint    string    `json:"endpoint,omitempty"`    // login, supplies, …; data: the guarded ones
	Path        string    `json:"path,omitempty"`        // beginning of the path
	Account     string    `json:"account,omitempty"`     // username
	NIF         string    `json:"nif,omitempty"`         // authorizedNif
	CUPS        string    `json:"cups,omitempty"`        // a beginning of it
	Distributor string    `json:"distributor,omitempty"` // that the call is about
	Month       string    `json:"month,omitempty"`       // YYYY-MM, within what is asked
	Measurement string    `json:"measurement,omitempty"` // 0 hourly, 1 quarter-hourly
	From        time.Time `json:"from,omitzero"`         // simulated
	Until       time.Time `json:"until,omitzero"`        // simulated
	// Nth is which asking of the same thing is meant, counted from 1 since the
	// simulator started: 1, "2-" or "1-3".
	Nth Range `json:"nth,omitzero"`
	// Probability of 0 stands for 1. The seed and the query decide together
	// with how many times it was asked, or, if Sticky, without that.
	Probability float64 `json:"probability,omitempty"`
	Sticky      bool    `json:"sticky,omitempty"`
}

// Range is a range of numbers, both ends included. To of 0: no end; both 0:
// every number.
type Range struct{ From, To int }

// UnmarshalJSON reads 1, "2-" or "1-3".
func (r *Range) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	from, to, open := strings.Cut(text, "-")
	var err error
	if r.From, err = strconv.Atoi(from); err != nil || r.From < 1 {
		return fmt.Errorf("nth: %s is not like 1, \"2-\" or \"1-3\"", data)
	}
	r.To = r.From
	if open {
		r.To = 0
	}
	if to != "" {
		if r.To, err = strconv.Atoi(to); err != nil || r.To < r.From {
			return fmt.Errorf("nth: %s is not like 1, \"2-\" or \"1-3\"", data)
		}
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (r Range) MarshalJSON() ([]byte, error) {
	text := strconv.Itoa(r.From) + "-"
	if r.To > 0 {
		text += strconv.Itoa(r.To)
	}
	return json.Marshal(text)
}

// Fault is how a call fails.
type Fault struct {
	// Kind is one of [Kinds]; of several, the dice choose one for each call.
	Kind Kind `json:"kind,omitempty"`

	// Status, Body, ContentType and Header make an answer of one's own, where
	// Kind is left out.
	Status      int               `json:"status,omitempty"`
	Body        string            `json:"body,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Header      map[string]string `json:"header,omitempty"` // for every kind of answer

	Delay Duration `json:"delay,omitempty"` // latency and stall; default 5s and for ever
	Keep  float64  `json:"keep,omitempty"`  // share that short_list and drop_rows leave; default 0.5
	Code  string   `json:"code,omitempty"`  // of outage; default 10
	// Register overrides whether the struck query counts under the 24-hour
	// rule. Without it, it counts if the client gets a whole answer to it.
	Register *bool `json:"register,omitempty"`
}

// Kind is a kind of fault, or some to choose from: in JSON a text or an array.
type Kind []string

// UnmarshalJSON reads a text or an array of texts.
func (k *Kind) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*k = Kind{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(k))
}

// Duration is a [time.Duration] that JSON writes as "1m30s".
type Duration time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// ReadFaults reads rules.
func ReadFaults(r io.Reader) ([]Rule, error) {
	var rules []Rule
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rules); err != nil {
		return nil, fmt.Errorf("read faults: %w", err)
	}
	for i, rule := range rules {
		if err := rule.validate(); err != nil {
			return nil, fmt.Errorf("read faults: [%d].%w", i, err)
		}
	}
	return rules, nil
}

func (r Rule) validate() error {
	var errs []error
	if p := r.Match.Probability; p < 0 || p > 1 {
		errs = append(errs, fmt.Errorf("match.probability: %v is not between 0 and 1", p))
	}
	if k := r.Fault.Keep; k < 0 || k > 1 {
		errs = append(errs, fmt.Errorf("fault.keep: %v is not between 0 and 1", k))
	}
	if m := r.Match.Month; m != "" {
		if _, err := time.Parse("2006-01", m); err != nil {
			errs = append(errs, fmt.Errorf("match.month: %q is not YYYY-MM", m))
		}
	}
	if !slices.Contains(append(endpointNames(), "", EndpointData), r.Match.Endpoint) {
		errs = append(errs, fmt.Errorf("match.endpoint: %q is not one of %q or data", r.Match.Endpoint, endpointNames()))
	}
	return errors.Join(append(errs, r.Fault.validate())...)
}

func (f Fault) validate() error {
	if len(f.Kind) == 0 {
		if f.Status < 100 || f.Status > 599 {
			return fmt.Errorf("fault: needs a kind or a status, and %d is none", f.Status)
		}
		return nil
	}
	for _, kind := range f.Kind {
		if _, known := catalogue(kind); !known && !slices.Contains(behaviours(), kind) {
			return fmt.Errorf("fault.kind: %q is not known", kind)
		}
	}
	return nil
}

func endpointNames() []string {
	return []string{
		EndpointLogin, EndpointSupplies, EndpointDistributors, EndpointContract, EndpointConsumption,
		EndpointPower, EndpointReactive, EndpointConsents, EndpointGroups,
	}
}

// strike is what faults do to a call.
type strike struct {
	fault    *Fault // nil: nothing
	kind     string // of the fault, chosen
	outageOf string // the distributor that an outage is about, "" for all
	nth      int    // time that the same was asked, from 1
}

// faults are the rules at work.
type faults struct {
	dice dice

	mu     sync.Mutex
	rules  []Rule
	struck []int          // per rule
	asked  map[string]int // how often each thing was asked
}

func newFaults(seed uint64, rules []Rule) *faults {
	f := &faults{dice: newDice(seed, "faults"), asked: make(map[string]int)}
	f.replace(rules)
	return f
}

func (f *faults) replace(rules []Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.struck = slices.Clone(rules), make([]int, len(rules))
}

// strike counts the call and decides whether it fails, and how.
func (f *faults) strike(c *call) strike {
	id := c.identity()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[id]++
	nth := f.asked[id]
	for i := range f.rules {
		rule := &f.rules[i]
		if !rule.Match.fits(c, nth) || rule.Times > 0 && f.struck[i] >= rule.Times {
			continue
		}
		d := f.dice.mix(uint64(i)).word(id)
		if !rule.Match.Sticky {
			d = d.mix(uint64(nth))
		}
		if p := rule.Match.Probability; p > 0 && d.share() >= p {
			return strike{nth: nth}
		}
		f.struck[i]++
		fault := rule.Fault
		kind := strconv.Itoa(fault.Status)
		if len(fault.Kind) > 0 {
			kind = pick(d.mix(0), fault.Kind)
		}
		return strike{&fault, kind, rule.Match.Distributor, nth}
	}
	return strike{nth: nth}
}

// identity names what is asked: the same in v1 and v2, and without a password.
func (c *call) identity() string {
	var b bytes.Buffer
	b.WriteString(c.name + "|" + c.account)
	for _, name := range []string{
		"authorizedNif", "distributorCode", "cups", "startDate", "endDate", "measurementType", "pointType", "ownerNif",
	} {
		b.WriteString("|" + c.get(name))
	}
	return b.String()
}

// fits tells whether a call, asked for the nth time, is meant.
func (m Match) fits(c *call, nth int) bool {
	return m.endpointFits(c) && m.timeFits(c, nth) && m.monthFits(c) &&
		same(m.Account, c.account) &&
		same(m.NIF, c.get("authorizedNif")) &&
		same(m.Measurement, c.get("measurementType")) &&
		strings.HasPrefix(c.get("cups"), m.CUPS) &&
		m.distributorFits(c)
}

func (m Match) endpointFits(c *call) bool {
	return strings.HasPrefix(c.path, m.Path) && (same(m.Endpoint, c.name) || m.Endpoint == EndpointData && c.guarded)
}

func (m Match) timeFits(c *call, nth int) bool {
	return nth >= m.Nth.From && (m.Nth.To == 0 || nth <= m.Nth.To) &&
		!c.now.Before(m.From) && (m.Until.IsZero() || c.now.Before(m.Until))
}

func (m Match) monthFits(c *call) bool {
	want := strings.Replace(m.Month, "-", "/", 1)
	return want == "" || c.get("startDate") <= want && want <= c.get("endDate")
}

// distributorFits also holds for lists of all distributors: an outage has to
// strike these too.
func (m Match) distributorFits(c *call) bool {
	asked := c.get("distributorCode")
	return m.Distributor == "" || asked == m.Distributor || asked == "" && c.lists()
}

// lists tells whether the call lists what all distributors have.
func (c *call) lists() bool {
	return c.name == EndpointSupplies || c.name == EndpointDistributors
}

func same(want, have string) bool { return want == "" || want == have }

// header are the extra headers of a fault's answer.
func (f *Fault) header() http.Header {
	h := make(http.Header, len(f.Header))
	for name, value := range f.Header {
		h.Set(name, value)
	}
	return h
}

// keep is the share that is left of a list.
func (f *Fault) keep() float64 {
	if f.Keep == 0 {
		return 0.5
	}
	return f.Keep
}
