package job

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func someUser() User {
	return User{
		Account: "a1", Login: "l1", NIF: "12345678Z",
		Wants:        []Want{{Source: "north"}, {Source: "south", CUPS: []sdk.CUPS{"ES0031000000000001BJ0F"}}},
		LoginSources: []string{"north", "south"},
	}
}

func someDevice() Device {
	return Device{Accesses: []Access{{
		Account: "a1", Login: "l1", NIF: "12345678Z", Sources: []string{"north"},
		CUPS: "ES0031000000000001BJ0F", Distributor: "2", PointType: 5,
		ValidFrom: time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC),
		Supply:    []byte(`{"cups":"ES0031000000000001BJ0F"}`),
	}}}
}

// Items outlive a deployment: what an older engine wrote must stay readable.
func TestBodiesStayReadable(t *testing.T) {
	t.Parallel()
	t.Run("user", func(t *testing.T) { golden(t, "user.json", someUser(), User.Encode, DecodeUser) })
	t.Run("device", func(t *testing.T) { golden(t, "device.json", someDevice(), Device.Encode, DecodeDevice) })
}

func golden[T any](t *testing.T, name string, item T, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	t.Helper()
	path := filepath.Join("testdata", name)
	body, err := encode(item)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, append(body, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(body); got != strings.TrimSpace(string(want)) {
		t.Errorf("encoded as\n%s\nwant\n%s", got, want)
	}
	back, err := decode(want)
	if err != nil || !reflect.DeepEqual(back, item) {
		t.Errorf("decoded as %+v, %v, want %+v", back, err, item)
	}
}

func TestUnknownVersionIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"v":2,"item":{}}`, `{"item":{}}`} {
		if _, err := DecodeUser([]byte(body)); !errors.Is(err, ErrVersion) {
			t.Errorf("DecodeUser(%s) = %v, want ErrVersion", body, err)
		}
		if _, err := DecodeDevice([]byte(body)); !errors.Is(err, ErrVersion) {
			t.Errorf("DecodeDevice(%s) = %v, want ErrVersion", body, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{``, `{`, `{"v":1}`, `{"v":1,"item":{"accesses":[{"cups":"X"}]}}`, `{"v":1,"item":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if d, err := DecodeDevice(body); err == nil {
			if _, err := d.Encode(); err != nil {
				t.Errorf("a decoded device does not encode: %v", err)
			}
		}
		if u, err := DecodeUser(body); err == nil {
			_ = u.Wanting("ES0031000000000001BJ0F")
		}
	})
}

func TestWants(t *testing.T) {
	t.Parallel()
	const one, other = sdk.CUPS("ES0031000000000001BJ0F"), sdk.CUPS("ES0031000000000002BD0F")
	cases := []struct {
		name  string
		wants []Want
		cups  sdk.CUPS
		want  []string
	}{
		{"all", []Want{{Source: "n"}}, one, []string{"n"}},
		{"listed, in another spelling", []Want{{Source: "n", CUPS: []sdk.CUPS{"es0031000000000001bj"}}}, one, []string{"n"}},
		{"not listed", []Want{{Source: "n", CUPS: []sdk.CUPS{other}}}, one, nil},
		{"two lists of one source unite", []Want{{Source: "n", CUPS: []sdk.CUPS{other}}, {Source: "n", CUPS: []sdk.CUPS{one}}}, one, []string{"n"}},
		{"all beats a list", []Want{{Source: "n", CUPS: []sdk.CUPS{other}}, {Source: "n"}}, one, []string{"n"}},
		{"sources keep their own filter", []Want{{Source: "n", CUPS: []sdk.CUPS{other}}, {Source: "s"}}, one, []string{"s"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var u User
			for _, w := range c.wants {
				u.Add(w)
			}
			if got := u.Wanting(c.cups); !slices.Equal(got, c.want) {
				t.Errorf("wanted by %v, want %v", got, c.want)
			}
		})
	}
}

func TestUniteDevice(t *testing.T) {
	t.Parallel()
	first := someDevice().Accesses[0]
	body, login, err := UniteDevice(nil, first, false)
	if err != nil || login != "l1" {
		t.Fatalf("first access: login %q, %v", login, err)
	}
	again := first
	again.Sources = []string{"south"}
	if body, _, err = UniteDevice(body, again, true); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Account, second.Login, second.Sources = "a2", "l2", []string{"west"}
	body, login, err = UniteDevice(body, second, false)
	if err != nil || login != "l1" {
		t.Fatalf("second account: login %q, %v; the first one goes on asking", login, err)
	}
	device, err := DecodeDevice(body)
	if err != nil {
		t.Fatal(err)
	}
	if len(device.Accesses) != 2 || !slices.Equal(device.Sources(), []string{"north", "south", "west"}) {
		t.Errorf("accesses %d, sources %v", len(device.Accesses), device.Sources())
	}
	if !device.Again {
		t.Error("a supply to be tried again forgot it when another account was added")
	}
	if device.ID() != "ES0031000000000001BJ" {
		t.Errorf("id %s", device.ID())
	}
}
