package simulator

import (
	"fmt"
	"math"
)

// generate makes a world up: logins with supplies of their own, companies that
// have no login but let some in, and logins that others let in.
func generate(seed uint64, accounts, supplies int) World {
	g := generator{dice: newDice(seed, "world"), companies: knownDistributors(), perHolder: supplies}
	for i := range accounts {
		g.login(i)
	}
	for i := range max(1, accounts/3) {
		if accounts > 0 {
			g.company(i)
		}
	}
	g.letIn()
	return g.world
}

type generator struct {
	dice      dice
	companies []Distributor
	perHolder int
	world     World
}

// login adds a login. Every eighth has no supplies of its own and lives by
// what others let it see.
func (g *generator) login(i int) {
	d := g.dice.word("login").mix(uint64(i))
	nif := g.nif(d, i)
	g.world.Logins = append(g.world.Logins, Login{Username: nif, Password: password(d)})
	if i%8 != 7 {
		g.supplies(nif)
	}
}

// nif is a person's or an organisation's; the number keeps them apart.
func (g *generator) nif(d dice, i int) string {
	number := d.below(90)*100_000 + scatter(i) // under ten million
	switch i % 5 {
	case 1:
		return makeNIE(d.below(3), number%10_000_000)
	case 3:
		return makeCIF(pick(d, []byte("ABGPQS")), number%10_000_000)
	default:
		return makeDNI(10_000_000 + number)
	}
}

// scatter numbers things so that neighbours do not look like neighbours, but
// no two of the first hundred thousand are alike.
func scatter(i int) int { return (i*7919 + 31_337) % 100_000 }

// password has the characters that clients encode wrongly.
func password(d dice) string {
	const set = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	text := make([]byte, 12)
	for i := range text {
		text[i] = set[d.mix(uint64(i)).below(len(set))]
	}
	return string(text) + pick(d, []string{"&", "%2", "+ñ", "", "="})
}

// company adds a holder without a login, which lets logins in.
func (g *generator) company(i int) {
	d := g.dice.word("company").mix(uint64(i))
	nif := makeCIF(pick(d, []byte("BFHJP")), 1_000_000+d.below(80)*100_000+scatter(i))
	g.supplies(nif)
	for k := range 1 + i%2 { // every other is seen by two logins
		g.consent(nif, (i*3+k*2+1)%len(g.world.Logins))
	}
}

// letIn makes each fourth login see what its neighbour has, so that supplies
// are shared between logins that own and logins that may look, and serves the
// ones that have nothing.
func (g *generator) letIn() {
	n := len(g.world.Logins)
	for i := range n {
		if next := (i + 1) % n; next != i && (i%4 == 2 || i%8 == 7) {
			g.consent(g.world.Logins[next].Username, i)
		}
	}
}

func (g *generator) consent(holder string, login int) {
	username := g.world.Logins[login].Username
	for _, c := range g.world.Consents {
		if c.Holder == holder && c.Login == username {
			return
		}
	}
	g.world.Consents = append(g.world.Consents, Consent{Holder: holder, Login: username})
}

func (g *generator) supplies(holder string) {
	for range g.perHolder {
		g.world.Supplies = append(g.world.Supplies, g.supply(len(g.world.Supplies), holder))
	}
}

// supply is the one numbered i. The first ones go round the distributors and
// point types, so that small worlds have some of each.
func (g *generator) supply(i int, holder string) Supply {
	d := g.dice.word("supply").mix(uint64(i))
	codes := []int{2, 8, 5, 2, 1, 8, 3, 2, 4, 8, 6, 7}
	code := codes[i%len(codes)]
	if i >= len(codes) {
		code = pick(d.word("code"), codes)
	}
	company := g.companies[code-1]
	cups := makeCUPS(company.company, d.below(900_000)*1_000_000+i/100_000*100_000+scatter(i))
	if code != 8 && code != 5 { // those two list the 20 characters alone
		cups += "0F"
	}
	town := pick(d.word("town"), towns())
	s := Supply{
		CUPS:         cups,
		Holders:      []string{holder},
		Distributor:  company.Code,
		PointType:    []int{5, 5, 3, 5, 4, 5, 2, 5, 1, 5, 5, 4}[i%12],
		From:         fmt.Sprintf("%04d-%02d-%02d", 2003+d.word("year").below(20), 1+d.word("month").below(12), 1+d.word("day").below(28)),
		Surplus:      i%6 == 3,
		Generation:   i%12 == 3,
		Address:      fmt.Sprintf("%s %d", pick(d, streets()), 1+d.word("number").below(150)),
		PostalCode:   town.postal,
		Province:     town.province,
		Municipality: town.name,
	}
	s.Powers = powers(d.word("power"), s.PointType)
	return s
}

// powers are what the point type allows to contract (kW).
func powers(d dice, pointType int) []float64 {
	if pointType == 5 {
		p := pick(d, []float64{2.3, 3.45, 4.6, 5.75, 6.9, 9.2})
		return []float64{p, p}
	}
	low := []float64{10_000, 451, 51, 16}[pointType-1]
	high := []float64{14_000, 4_000, 440, 50}[pointType-1]
	p := math.Round(low + d.share()*(high-low))
	return []float64{p, p, p, p, p, p}
}

// fillIn gives a supply what its file leaves out.
func (s *supply) fillIn() {
	if len(s.Powers) == 0 {
		s.Powers = powers(s.dice.word("power"), s.PointType)
	}
	if s.Address == "" {
		s.Address = "-"
	}
	if s.Province == "" && s.Municipality == "" {
		t := towns()[0]
		s.Province, s.Municipality = t.province, t.name
		if s.PostalCode == "" {
			s.PostalCode = t.postal
		}
	}
}

type town struct{ name, postal, province, code, ine string }

func towns() []town {
	return []town{
		{"BARCELONA", "08001", "Barcelona", "08", "019"},
		{"MADRID", "28046", "Madrid", "28", "079"},
		{"ELCHE/ELX", "03203", "Alicante/Alacant", "03", "065"},
		{"A CORUÑA", "15001", "A Coruña", "15", "030"},
		{"CÁDIZ", "11001", "Cádiz", "11", "012"},
		{"ÁVILA", "05001", "Ávila", "05", "019"},
	}
}

func streets() []string {
	return []string{"CALLE MAYOR", "AVENIDA DE ESPAÑA", "PLAÇA DE L'AJUNTAMENT", "CAMIÑO DA FONTE", "PASEO DE LA CONSTITUCIÓN"}
}
