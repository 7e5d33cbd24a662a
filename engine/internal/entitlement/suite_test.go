package entitlement

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/sdk"
)

const account = "a1b2c3d4a1b2c3d4"

var day1 = time.Date(2026, 9, 15, 3, 0, 0, 0, time.UTC)

// supplyOf is a supply of a distributor; n tells supplies apart.
func supplyOf(d sdk.Distributor, n int) Supply {
	cups := sdk.CUPS(fmt.Sprintf("ES003100000000%04dBJ0F", n))
	return Supply{
		CUPS: cups, Distributor: d, PointType: 5, PostalCode: "08001",
		ValidFrom: time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC),
		Raw:       json.RawMessage(fmt.Sprintf(`{"cups":%q,"address":"CALLE EJEMPLO 1","pointType":5,"later":[null]}`, cups)),
	}
}

func answered(d sdk.Distributor, numbers ...int) Result {
	var r Result
	for _, n := range numbers {
		r.Supplies = append(r.Supplies, supplyOf(d, n))
	}
	return r
}

// numbers are the supplies of a list, as supplyOf counts them. A stale one is
// negative.
func numbers(list []Effective) (all []int) {
	for _, e := range list {
		n := number(e.CUPS)
		if e.Stale {
			n = -n
		}
		all = append(all, n)
	}
	return all
}

func number(cups sdk.CUPS) (n int) {
	if _, err := fmt.Sscanf(string(cups)[14:18], "%d", &n); err != nil {
		panic(err)
	}
	return n
}

func numbersOf(cups []sdk.CUPS) (all []int) {
	for _, c := range cups {
		all = append(all, number(c))
	}
	return all
}

type results map[sdk.Distributor]Result

var failed = Result{Failed: true}

func TestOnEveryStore(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s store.Store) {
		t.Run("listings", func(t *testing.T) { listings(t, s) })
		t.Run("a large account", func(t *testing.T) { largeAccount(t, s) })
		t.Run("rejected logins", func(t *testing.T) { rejectedLogins(t, s) })
		t.Run("rejected in many processes", func(t *testing.T) { rejectedAtOnce(t, s) })
	})
}

// listings goes through the days of one account.
func listings(t *testing.T, s store.Store) {
	for i, step := range []struct {
		name         string
		partial      bool // not all distributors were asked
		results      results
		want         []int
		added, ended []int
		failed       []sdk.Distributor
	}{
		{name: "the first listing", results: results{"2": answered("2", 1, 2), "8": answered("8", 3)}, want: []int{1, 2, 3}, added: []int{1, 2, 3}},
		{name: "the same again", results: results{"2": answered("2", 1, 2), "8": answered("8", 3)}, want: []int{1, 2, 3}},
		{name: "a failed distributor leaves yesterday's", results: results{"2": answered("2", 1, 2, 4), "8": failed}, want: []int{1, 2, -3, 4}, added: []int{4}, failed: []sdk.Distributor{"8"}},
		{name: "still failing", results: results{"2": answered("2", 1, 2, 4), "8": failed}, want: []int{1, 2, -3, 4}, failed: []sdk.Distributor{"8"}},
		{name: "asked alone it answers", partial: true, results: results{"8": answered("8", 3)}, want: []int{1, 2, 3, 4}},
		{name: "one that answers without a supply ends it", results: results{"2": answered("2", 1), "8": answered("8", 3)}, want: []int{1, 3}, ended: []int{2, 4}},
		{name: "one not named in a whole listing has nothing", results: results{"2": answered("2", 1)}, want: []int{1}, ended: []int{3}},
		{name: "one not named in a partial listing was not asked", partial: true, results: results{"8": answered("8", 3)}, want: []int{1, 3}, added: []int{3}},
		{name: "a supply that moved counts once", results: results{"2": failed, "8": answered("8", 1, 3)}, want: []int{1, 3}, failed: []sdk.Distributor{"2"}},
		{name: "everything failed", results: results{"2": failed, "5": failed, "8": failed}, want: []int{-1, -3}, failed: []sdk.Distributor{"2", "5", "8"}},
		{name: "nothing any more", want: nil, ended: []int{1, 3}},
	} {
		r := NewRegister(s) // each day another process
		l := Listing{At: day1.AddDate(0, 0, i), Whole: !step.partial, Distributors: step.results}
		change, err := r.Update(t.Context(), account, l)
		must(t, err)
		current, err := r.Current(t.Context(), account)
		must(t, err)
		for what, pair := range map[string][2][]int{
			"seen":  {numbers(change.Supplies), step.want},
			"kept":  {numbers(current), step.want},
			"added": {numbersOf(change.Added), step.added},
			"ended": {numbersOf(change.Ended), step.ended},
		} {
			if !slices.Equal(pair[0], pair[1]) {
				t.Errorf("%s: %s %v, want %v", step.name, what, pair[0], pair[1])
			}
		}
		if !slices.Equal(change.Failed, step.failed) {
			t.Errorf("%s: failed %v, want %v", step.name, change.Failed, step.failed)
		}
	}
}

func largeAccount(t *testing.T, s store.Store) {
	const n = 3000
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	r := NewRegister(s)
	_, err := r.Update(t.Context(), "large", Listing{At: day1, Whole: true, Distributors: results{"2": answered("2", all...)}})
	must(t, err)
	current, err := r.Current(t.Context(), "large")
	must(t, err)
	if !slices.Equal(numbers(current), all) {
		t.Fatalf("%d supplies are kept, want %d", len(current), n)
	}
	got, want := current[7], supplyOf("2", 7)
	if got.CUPS != want.CUPS || !got.ValidFrom.Equal(want.ValidFrom) || string(got.Raw) != string(want.Raw) || !got.ListedAt.Equal(day1) {
		t.Errorf("a supply came back as %+v, want %+v", got, want)
	}
	fields, err := s.Get(t.Context(), "e:large")
	must(t, err)
	if size := len(fields["d:2"]); size > n*60 {
		t.Errorf("they take %d bytes: they are not packed", size)
	}
	ended, err := r.Revoke(t.Context(), "large")
	must(t, err)
	left, err := r.Current(t.Context(), "large")
	must(t, err)
	if len(ended) != n || len(left) != 0 {
		t.Errorf("revoked, %d ended and %d are left", len(ended), len(left))
	}
}

func rejectedLogins(t *testing.T, s store.Store) {
	now := day1
	l := NewLogins(s, func() time.Time { return now })
	const login = "0123456789abcdef"
	reject := func(run string, want int) {
		t.Helper()
		streak, err := l.Rejected(t.Context(), login, run)
		must(t, err)
		if streak != want {
			t.Errorf("run %s: the %d. rejection, want the %d.", run, streak, want)
		}
	}
	rests := func(want bool) {
		t.Helper()
		until, resting, err := l.Resting(t.Context(), login)
		must(t, err)
		if resting != want {
			t.Errorf("at %v: resting %t until %v, want %t", now, resting, until, want)
		}
	}
	rests(false)
	reject("run-1", 1)
	reject("run-1", 1) // of another account of the login
	now = now.Add(time.Hour)
	reject("run-2", 2)
	rests(false)
	must(t, l.Accepted(t.Context(), login))
	for i := range 3 {
		now = now.Add(time.Hour)
		rests(false)
		reject(fmt.Sprintf("run-%d", i+3), i+1)
	}
	rests(true)
	now = now.Add(24*time.Hour - time.Second)
	rests(true)
	now = now.Add(time.Second)
	rests(false) // it is asked once a day
	reject("run-9", 3)
	rests(true)
	if fields, err := s.Get(t.Context(), "n:"+login); err != nil || len(fields) != 3 {
		t.Errorf("%d rejections are kept, %v: they grow without end", len(fields), err)
	}
	if _, resting, err := l.Resting(t.Context(), "fedcba9876543210"); resting || err != nil {
		t.Errorf("another password rests, too: %v", err)
	}
}

func rejectedAtOnce(t *testing.T, s store.Store) {
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			l := NewLogins(s, func() time.Time { return day1 })
			if _, err := l.Rejected(t.Context(), "shared", fmt.Sprintf("run-%d", i%2)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	l := NewLogins(s, func() time.Time { return day1 })
	if streak, err := l.Rejected(t.Context(), "shared", "run-0"); err != nil || streak != 2 {
		t.Errorf("two runs rejected it %d times, %v", streak, err)
	}
}

func TestSuspicious(t *testing.T) {
	t.Parallel()
	previous := []Effective{{Supply: supplyOf("2", 1)}, {Supply: supplyOf("2", 2)}, {Supply: supplyOf("8", 3)}}
	for name, c := range map[string]struct {
		now  Listing
		want map[sdk.Distributor][]int
	}{
		"all are there":           {Listing{Whole: true, Distributors: results{"2": answered("2", 1, 2), "8": answered("8", 3)}}, nil},
		"one is missing":          {Listing{Whole: true, Distributors: results{"2": answered("2", 1), "8": answered("8", 3)}}, map[sdk.Distributor][]int{"2": {2}}},
		"all are missing":         {Listing{Whole: true}, map[sdk.Distributor][]int{"2": {1, 2}, "8": {3}}},
		"the distributor failed":  {Listing{Whole: true, Distributors: results{"2": answered("2", 1, 2), "8": failed}}, nil},
		"it was not asked":        {Listing{Distributors: results{"2": answered("2", 1, 2)}}, nil},
		"it moved to another one": {Listing{Whole: true, Distributors: results{"2": answered("2", 1), "8": answered("8", 2, 3)}}, nil},
	} {
		got := Suspicious(previous, c.now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		for d, want := range c.want {
			if !slices.Equal(numbersOf(got[d]), want) {
				t.Errorf("%s: of distributor %s %v, want %v", name, d, got[d], want)
			}
		}
	}
}

func TestTheLaterContractIsBelieved(t *testing.T) {
	t.Parallel()
	r := NewRegister(storetest.Bolt(t))
	older, newer := supplyOf("2", 1), supplyOf("2", 1)
	older.PointType, newer.PointType = 4, 3
	newer.ValidFrom = older.ValidFrom.AddDate(1, 0, 0)
	for _, both := range [][]Supply{{older, newer}, {newer, older}} {
		change, err := r.Update(t.Context(), account, Listing{At: day1, Whole: true, Distributors: results{"2": {Supplies: both}}})
		must(t, err)
		if len(change.Supplies) != 1 || change.Supplies[0].PointType != 3 {
			t.Errorf("of two contracts of one CUPS it took %+v", change.Supplies)
		}
	}
}

func TestIdsAreChecked(t *testing.T) {
	t.Parallel()
	s := storetest.Bolt(t)
	r, l := NewRegister(s), NewLogins(s, nil)
	for _, bad := range []string{"", "a b", "ñ", strings.Repeat("x", 65)} {
		_, errCurrent := r.Current(t.Context(), bad)
		_, errUpdate := r.Update(t.Context(), bad, Listing{})
		_, errCode := r.Update(t.Context(), account, Listing{Distributors: results{sdk.Distributor(bad): {}}})
		_, errRejected := l.Rejected(t.Context(), bad, "run")
		_, errRun := l.Rejected(t.Context(), "login", bad)
		_, _, errResting := l.Resting(t.Context(), bad)
		for call, err := range map[string]error{
			"Current": errCurrent, "Update": errUpdate, "Update distributor": errCode, "Rejected": errRejected,
			"Rejected run": errRun, "Resting": errResting, "Accepted": l.Accepted(t.Context(), bad),
		} {
			if err == nil {
				t.Errorf("%s took %q", call, bad)
			}
		}
	}
}

func TestUnreadableListingIsAnError(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"empty": "", "no JSON": "j{", "newer packing": "x{}", "newer version": `j{"v":2}`, "broken packing": "z\xff\xff",
	} {
		s := storetest.Bolt(t)
		must(t, s.Put(t.Context(), "e:"+account, map[string][]byte{"d:2": []byte(value)}))
		if _, err := NewRegister(s).Current(t.Context(), account); err == nil || !strings.Contains(err.Error(), "distributor 2") {
			t.Errorf("%s: got %v, want an error that says where", name, err)
		}
	}
}

func TestFailedWriteIsNoChange(t *testing.T) {
	t.Parallel()
	s := storetest.Bolt(t)
	r := NewRegister(s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Update(ctx, account, Listing{At: day1, Distributors: results{"2": answered("2", 1)}}); err == nil {
		t.Error("took a listing that it could not keep")
	}
	current, err := r.Current(t.Context(), account)
	if err != nil || len(current) != 0 {
		t.Errorf("%v is kept, %v", current, err)
	}
}

func FuzzDecode(f *testing.F) {
	small, err := listed{At: day1, Supplies: []Supply{supplyOf("2", 1)}}.encode()
	must(f, err)
	large, err := listed{At: day1, Supplies: answered("2", 1, 2, 3, 4, 5, 6, 7, 8, 9).Supplies}.encode()
	must(f, err)
	f.Add(small)
	f.Add(large)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decode(data)
		if err != nil {
			return
		}
		again, err := l.encode()
		if err != nil {
			t.Skip("a time that JSON does not know") // years beyond 9999
		}
		if back, err := decode(again); err != nil || len(back.Supplies) != len(l.Supplies) {
			t.Errorf("%+v came back as %+v, %v", l, back, err)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
