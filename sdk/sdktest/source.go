package sdktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// patience is how long a plugin may take to notice that it is to stop.
const patience = 5 * time.Second

// Source checks a source. What open returns holds at least one grant.
func Source(t *testing.T, open func(t *testing.T) sdk.Source) {
	t.Helper()
	t.Run("lists whole grants", func(t *testing.T) { checkGrants(t, list(t, open(t))) })
	t.Run("lists the same again", func(t *testing.T) {
		source := open(t)
		if first, second := shown(list(t, source)), shown(list(t, source)); !slices.Equal(first, second) {
			t.Errorf("first %v, then %v", first, second)
		}
	})
	t.Run("stops when it is refused", func(t *testing.T) {
		refused := errors.New("refused")
		sent := 0
		err := inTime(t, func() error {
			return open(t).ListGrants(t.Context(), func(sdk.Grant) error {
				sent++
				return refused
			})
		})
		if !errors.Is(err, refused) {
			t.Errorf("it returned %v, not the error of send", err)
		}
		if sent != 1 {
			t.Errorf("it sent %d grants; the first was refused", sent)
		}
	})
	t.Run("fails when it is cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := inTime(t, func() error {
			return open(t).ListGrants(ctx, func(sdk.Grant) error { return ctx.Err() })
		})
		if err == nil {
			t.Error("a list that was cut short was reported as complete")
		}
	})
}

func list(t *testing.T, source sdk.Source) []sdk.Grant {
	t.Helper()
	var grants []sdk.Grant
	if err := source.ListGrants(t.Context(), func(g sdk.Grant) error {
		grants = append(grants, g)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return grants
}

func checkGrants(t *testing.T, grants []sdk.Grant) {
	t.Helper()
	if len(grants) == 0 {
		t.Fatal("no grants")
	}
	keys := make(map[string]bool)
	for i, g := range grants {
		switch {
		case g.Username == "":
			t.Errorf("grant %d has no user name", i)
		case g.Password.Empty():
			t.Errorf("grant %d has no password", i)
		case !g.OwnSupplies && len(g.AuthorizedNIFs) == 0:
			t.Errorf("grant %d wants nothing: neither its own supplies nor those of others", i)
		case g.Key != "" && strings.Contains(g.Key, g.Password.Reveal()):
			t.Errorf("the key of grant %d holds the password", i)
		case keys[g.Key]:
			t.Errorf("the key %q is given twice", g.Key)
		}
		if g.Key != "" {
			keys[g.Key] = true
		}
	}
}

// shown is the grants for comparison, in an order of their own.
func shown(grants []sdk.Grant) []string {
	texts := make([]string, len(grants))
	for i, g := range grants {
		texts[i] = fmt.Sprintf("%s %s %v %v %v", g.Key, g.Username, g.AuthorizedNIFs, g.OwnSupplies, g.CUPS)
	}
	slices.Sort(texts)
	return texts
}

// inTime fails the test if the call takes too long.
func inTime(t *testing.T, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("no answer in %v", patience)
		return nil
	}
}
