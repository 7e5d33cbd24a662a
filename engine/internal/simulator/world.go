package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// World is who and what there is, as the file says it.
type World struct {
	Logins       []Login       `json:"logins,omitempty"`
	Supplies     []Supply      `json:"supplies,omitempty"`
	Consents     []Consent     `json:"consents,omitempty"`
	Distributors []Distributor `json:"distributors,omitempty"`
}

// Login is a Datadis user.
type Login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Supply is a supply point with its present contract.
type Supply struct {
	CUPS        string   `json:"cups"`
	Holders     []string `json:"holders"`     // NIFs
	Distributor string   `json:"distributor"` // code
	PointType   int      `json:"point_type"`  // 1 (largest) to 5 (homes)

	From    string     `json:"from,omitempty"`    // 2006-01-02, in the future: not listed yet; default 2018-03-15
	To      string     `json:"to,omitempty"`      // its last day; "": still in force
	Earlier []Contract `json:"earlier,omitempty"` // contracts before the present one, rows of their own

	Surplus    bool `json:"surplus,omitempty"`    // feeds into the grid
	Generation bool `json:"generation,omitempty"` // sends generation and self-consumption too

	Powers       []float64 `json:"powers,omitempty"` // contracted, kW; default by point type
	Address      string    `json:"address,omitempty"`
	PostalCode   string    `json:"postal_code,omitempty"`
	Province     string    `json:"province,omitempty"`
	Municipality string    `json:"municipality,omitempty"`
}

// Contract is the time of one contract, in days.
type Contract struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Consent lets a login see the supplies of a holder.
type Consent struct {
	Holder string   `json:"holder"` // NIF
	Login  string   `json:"login"`  // username
	CUPS   []string `json:"cups,omitempty"`
	Status string   `json:"status,omitempty"` // default VIGENTE; others see nothing
	From   string   `json:"from,omitempty"`   // 2006-01-02; default always
	To     string   `json:"to,omitempty"`     // its last day; default for ever
}

// ReadWorld reads a world file.
func ReadWorld(r io.Reader) (*World, error) {
	var w World
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return nil, fmt.Errorf("read world: %w", err)
	}
	return &w, nil
}

// supply is a Supply made ready to serve.
type supply struct {
	Supply
	dice      dice
	from, to  time.Time // to: the midnight after the last day, zero while in force
	earlier   []period
	company   *Distributor
	recording *recording // instead of made-up values; nil: none
}

// period is the time of a contract; zero to: in force.
type period struct{ from, to time.Time }

// consent is a Consent made ready.
type consent struct {
	Consent
	period
	only map[string]bool // nil: all of the holder's supplies
}

// pair is a login and the NIF of the holder who let it in.
type pair struct{ login, holder string }

// world is a World made ready.
type world struct {
	logins       map[string]Login
	anybody      *Login // if set, whoever gives these, or, where empty, anything, is let in and owns all
	supplies     []*supply
	byCUPS       map[string]*supply
	byHolder     map[string][]*supply
	consents     map[pair][]consent
	distributors map[string]*Distributor
	source       World // as given or made
}

// compile checks a world and makes it ready.
func compile(src World, seed uint64) (*world, error) {
	w := &world{
		logins:   make(map[string]Login, len(src.Logins)),
		byCUPS:   make(map[string]*supply, len(src.Supplies)),
		byHolder: make(map[string][]*supply),
		consents: make(map[pair][]consent),
		source:   src,
	}
	var errs []error
	var err error
	if w.distributors, err = distributors(src.Distributors); err != nil {
		errs = append(errs, err)
	}
	for i, l := range src.Logins {
		if l.Username == "" || l.Password == "" {
			errs = append(errs, fmt.Errorf("logins[%d]: needs a username and a password", i))
		}
		w.logins[l.Username] = l
	}
	for i, s := range src.Supplies {
		if err := w.addSupply(s, seed); err != nil {
			errs = append(errs, fmt.Errorf("supplies[%d]: %w", i, err))
		}
	}
	for i, c := range src.Consents {
		if err := w.addConsent(c); err != nil {
			errs = append(errs, fmt.Errorf("consents[%d]: %w", i, err))
		}
	}
	return w, errors.Join(errs...)
}

func (w *world) addSupply(src Supply, seed uint64) error {
	if err := w.checkSupply(src); err != nil {
		return err
	}
	s := &supply{Supply: src, dice: newDice(seed, "supply", src.CUPS), company: w.distributors[src.Distributor]}
	if err := s.readPeriods(); err != nil {
		return err
	}
	s.fillIn()
	w.supplies = append(w.supplies, s)
	w.byCUPS[s.CUPS] = s
	for _, nif := range src.Holders {
		w.byHolder[nif] = append(w.byHolder[nif], s)
	}
	return nil
}

func (w *world) checkSupply(s Supply) error {
	switch {
	case len(s.CUPS) != 20 && len(s.CUPS) != 22:
		return fmt.Errorf("cups: %q has not 20 or 22 characters", s.CUPS)
	case w.byCUPS[s.CUPS] != nil:
		return fmt.Errorf("cups: %q is there twice", s.CUPS)
	case len(s.Holders) == 0 && w.anybody == nil:
		return errors.New("holders: nobody holds it")
	case w.distributors[s.Distributor] == nil:
		return fmt.Errorf("distributor: %q is not known", s.Distributor)
	case s.PointType < 1 || s.PointType > 5:
		return fmt.Errorf("point_type: %d is not 1 to 5", s.PointType)
	}
	return nil
}

// readPeriods reads when the supply's contracts began and ended.
func (s *supply) readPeriods() error {
	p, err := parsePeriod(s.From, s.To)
	if err != nil {
		return err
	}
	s.from, s.to = p.from, p.to
	if s.From == "" {
		s.from = time.Date(2018, 3, 15, 0, 0, 0, 0, madrid)
	}
	for _, e := range s.Earlier {
		p, err := parsePeriod(e.From, e.To)
		if err != nil || p.to.IsZero() {
			return fmt.Errorf("earlier: %q to %q is no period", e.From, e.To)
		}
		s.earlier = append(s.earlier, p)
	}
	return nil
}

func (w *world) addConsent(src Consent) error {
	p, err := parsePeriod(src.From, src.To)
	switch {
	case err != nil:
		return err
	case src.Holder == "" || src.Login == "":
		return errors.New("needs a holder and a login")
	case src.Status == "":
		src.Status = inForce
	}
	c := consent{Consent: src, period: p}
	if len(src.CUPS) > 0 {
		c.only = make(map[string]bool, len(src.CUPS))
		for _, cups := range src.CUPS {
			c.only[cups] = true
		}
	}
	key := pair{src.Login, src.Holder}
	w.consents[key] = append(w.consents[key], c)
	return nil
}

// parsePeriod reads the days from and to, both included.
func parsePeriod(from, to string) (period, error) {
	var p period
	var err error
	if from != "" {
		if p.from, err = time.ParseInLocation(time.DateOnly, from, madrid); err != nil {
			return p, fmt.Errorf("from: %q is no date; write it as YYYY-MM-DD", from)
		}
	}
	if to != "" {
		if p.to, err = time.ParseInLocation(time.DateOnly, to, madrid); err != nil {
			return p, fmt.Errorf("to: %q is no date; write it as YYYY-MM-DD", to)
		}
		p.to = p.to.AddDate(0, 0, 1)
	}
	return p, nil
}

// covers tells whether t lies in the period.
func (p period) covers(t time.Time) bool {
	return !t.Before(p.from) && (p.to.IsZero() || t.Before(p.to))
}
