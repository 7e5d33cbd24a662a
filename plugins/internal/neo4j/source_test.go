package neo4j

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

const secret = "a made-up secret"

// configOf is the configuration of a source of this test's own label.
func configOf(t *testing.T, s *neo4jtest.Server) SourceConfig {
	t.Helper()
	label := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' || r == '+' || r == ',' || r == '#' {
			return '_'
		}
		return r
	}, t.Name())
	return SourceConfig{
		Neo4j:          Config{URI: s.URI("bolt"), Username: neo4jtest.User, Password: sdk.NewSecret(neo4jtest.Password), Database: "neo4j"},
		SecretPassword: sdk.NewSecret(secret), Label: label,
	}
}

func discard(context.Context) *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t *testing.T, c SourceConfig) *Users {
	t.Helper()
	users, _, err := NewUsers(sdk.Instance{Name: "sime"}, c, discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := users.Close(); err != nil {
			t.Error(err)
		}
	})
	return users
}

// node makes a node of the test's label.
func node(t *testing.T, s *neo4jtest.Server, label string, properties map[string]any) {
	t.Helper()
	s.Query(t, fmt.Sprintf("CREATE (n:`%s`) SET n = $p", label), map[string]any{"p": properties})
}

func encrypted(t *testing.T, plain string) string {
	t.Helper()
	text, err := password.Encrypt(secret, plain)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// list gathers the grants as texts, with their passwords.
func list(t *testing.T, u *Users) ([]string, error) {
	t.Helper()
	var got []string
	err := u.ListGrants(t.Context(), func(g sdk.Grant) error {
		got = append(got, fmt.Sprintf("%s/%s %v %v %v", g.Username, g.Password.Reveal(), g.AuthorizedNIFs, g.OwnSupplies, g.CUPS))
		return nil
	})
	return got, err
}

func TestSuite(t *testing.T) {
	s := neo4jtest.Shared(t)
	c := configOf(t, s)
	node(t, s, c.Label, map[string]any{"username": "B00000000", "Password": encrypted(t, "pw1"), "self": true})
	node(t, s, c.Label, map[string]any{"username": "B11111111", "Password": encrypted(t, "pw2"), "authorized_nif": []string{"12345678Z"}})
	sdktest.Source(t, func(t *testing.T) sdk.Source { return open(t, c) })
}

func TestListsUsers(t *testing.T) {
	t.Parallel()
	s := neo4jtest.Shared(t)
	c := configOf(t, s)
	node(t, s, c.Label, map[string]any{
		"username": " 12345678z", "Password": encrypted(t, "contraseña d'Àngel"), "authorized_nif": []string{"x1234567l", "X1234567L", ""},
		"self": false, "cups": []string{"ES0031000000000001BJ0F"},
	})
	node(t, s, c.Label, map[string]any{"username": "A58818501", "Password": encrypted(t, "pw"), "self": "true", "authorized_nif": "X1234567L;Y1234567X"})
	node(t, s, c.Label, map[string]any{"username": "B58818501", "Password": encrypted(t, "pw")})
	node(t, s, c.Label, map[string]any{"username": "C58818501", "Password": encrypted(t, "pw"), "self": false})
	got, err := list(t, open(t, c))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"12345678Z/contraseña d'Àngel [X1234567L] false [ES0031000000000001BJ0F]",
		"A58818501/pw [X1234567L Y1234567X] true []",
		"B58818501/pw [] true []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestBadNodes are named, without what is in them; the good one is sent.
func TestBadNodes(t *testing.T) {
	t.Parallel()
	s := neo4jtest.Shared(t)
	c := configOf(t, s)
	other, err := password.Encrypt("another secret", "hidden7pass")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []map[string]any{
		{"username": "00000000T", "Password": encrypted(t, "pw")},
		{"username": "11111111H", "Password": other},
		{"username": "22222222J", "Password": "hidden7pass"},
		{"username": "33333333P"},
		{"Password": encrypted(t, "pw")},
		{"username": "44444444A", "Password": encrypted(t, "pw"), "authorized_nif": []int64{1, 2}},
		{"username": "55555555K", "Password": encrypted(t, "pw"), "cups": []string{"hidden7pass"}},
		{"username": "66666666Q", "Password": encrypted(t, "pw"), "self": "hidden7pass"},
		{"username": "77777777B", "Password": 3.5},
	} {
		node(t, s, c.Label, p)
	}
	got, err := list(t, open(t, c))
	if !slices.Equal(got, []string{"00000000T/pw [] true []"}) {
		t.Errorf("got %q", got)
	}
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"username ******11H): Password cannot be decrypted: the secret is probably not the one",
		"username ******22J): Password cannot be decrypted: this is no encrypted password",
		"username ******33P): password is empty", "(username ): username is empty",
		"username ******44A): authorized_nif holds a number, not only texts",
		"username ******55K): cups has an entry", "username ******66Q): self is neither true nor false",
		"username ******77B): Password is a number, not a text",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q", want)
		}
	}
	for _, never := range []string{"hidden7pass", "11111111H", other, secret} {
		if strings.Contains(err.Error(), never) {
			t.Errorf("the error tells %q", never)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

// TestConnections tries addresses, certificates and logins.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := neo4jtest.Shared(t)
	base := configOf(t, s)
	node(t, s, base.Label, map[string]any{"username": "00000000T", "Password": encrypted(t, "pw")})
	for name, c := range map[string]struct {
		change func(*Config)
		kind   sdk.ErrorKind // "" if it works
	}{
		"bolt":             {func(*Config) {}, ""},
		"neo4j":            {func(c *Config) { c.URI = s.URI("neo4j") }, ""},
		"home database":    {func(c *Config) { c.Database = "" }, ""},
		"TLS, any":         {func(c *Config) { c.URI = s.URI("bolt+ssc") }, ""},
		"TLS, own CA":      {func(c *Config) { c.URI, c.CAFile = s.URI("bolt+s"), s.CAFile() }, ""},
		"routed, own CA":   {func(c *Config) { c.URI, c.CAFile = s.URI("neo4j+s"), s.CAFile() }, ""},
		"TLS, unknown CA":  {func(c *Config) { c.URI = s.URI("bolt+s") }, sdk.Unavailable},
		"wrong password":   {func(c *Config) { c.Password = sdk.NewSecret("hidden7pass") }, sdk.Precondition},
		"no login":         {func(c *Config) { c.Username = "" }, sdk.Precondition},
		"no such database": {func(c *Config) { c.Database = "nowhere" }, sdk.Precondition},
		"nobody listening": {func(c *Config) { c.URI = "bolt://127.0.0.1:1" }, sdk.Unavailable},
		"takes no time":    {func(c *Config) { c.Timeout = time.Minute }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := base
			c.change(&config.Neo4j)
			if problems := config.Check(sdk.Instance{Name: "sime"}); len(problems) > 0 {
				t.Fatalf("%v", problems)
			}
			got, err := list(t, open(t, config))
			if c.kind == "" {
				if err != nil || len(got) != 1 {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			var kind *sdk.Error
			if !errors.As(err, &kind) || kind.Kind != c.kind {
				t.Errorf("got %v, want %s", err, c.kind)
			}
			if strings.Contains(fmt.Sprint(err), "hidden7pass") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := func() SourceConfig {
		return SourceConfig{Neo4j: Config{URI: "neo4j+s://host:7687"}, SecretPassword: sdk.NewSecret("s")}
	}
	for name, c := range map[string]struct {
		change func(*SourceConfig)
		want   string
	}{
		"good":       {func(*SourceConfig) {}, ""},
		"scheme":     {func(c *SourceConfig) { c.Neo4j.URI = "https://host" }, "/neo4j/uri"},
		"host":       {func(c *SourceConfig) { c.Neo4j.URI = "bolt://" }, "/neo4j/uri"},
		"user in it": {func(c *SourceConfig) { c.Neo4j.URI = "bolt://u:hidden7@host" }, "/neo4j/uri"},
		"no URI":     {func(c *SourceConfig) { c.Neo4j.URI = "bolt://hidden7%zz" }, "/neo4j/uri"},
		"no such CA": {func(c *SourceConfig) { c.Neo4j.CAFile = "/nowhere" }, "/neo4j/ca_file"},
		"no secret":  {func(c *SourceConfig) { c.SecretPassword = sdk.Secret{} }, "/secret_password"},
		"label":      {func(c *SourceConfig) { c.Label = "A`) DETACH DELETE n //" }, "/label"},
		"topic":      {func(c *SourceConfig) { c.Topic = "a b" }, "/topic"},
		"table":      {func(c *SourceConfig) { c.Tables = []string{"t_{what}"} }, "/tables/0"},
		"negative":   {func(c *SourceConfig) { c.Neo4j.Timeout = -1 }, "/neo4j/timeout"},
	} {
		config := good()
		c.change(&config)
		problems := config.Check(sdk.Instance{Name: "sime"})
		if c.want == "" && len(problems) == 0 {
			continue
		}
		if len(problems) != 1 || problems[0].Path != c.want || strings.Contains(problems[0].Message, "hidden7") {
			t.Errorf("%s: got %v, want %s", name, problems, c.want)
		}
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	for name, topic := range map[string]string{"sime": "datadis.simehbase", "cosmic": "datadis.cosmichbase"} {
		r := SourceConfig{}.Route(name)
		if r.Topic != topic || !slices.Equal(r.Tables, []string{"datadis:raw_datadis_ts_{prop}_{freq}"}) ||
			len(r.RowKeys) != 1 || !slices.Equal(r.RowKeys[0], []string{"cups", "timestamp"}) {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}
