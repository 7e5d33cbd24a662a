package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
)

// lists are the columns of a table of users in whatever types there are, and
// what becomes of them: all rows stand for the same user.
func TestPostgresTypes(t *testing.T) {
	t.Parallel()
	const want = "row 1|12345678Z| pw;é\"' |[X1234567L Y1234567X]|true|[ES0031000000000001BJ0F]"
	w := postgresWorld(t, "CREATE DOMAIN nif AS varchar(20)", "CREATE TYPE yesno AS ENUM ('yes', 'no')")
	for name, query := range map[string]string{
		"arrays":   `SELECT '12345678z' AS username, ' pw;é"'' ' AS password, ARRAY['x1234567l','Y1234567X',NULL] AS authorized_nifs, true AS self, '{ES0031000000000001BJ0F}'::varchar[] AS cups`,
		"jsonb":    `SELECT '12345678Z'::nif AS username, ' pw;é"'' '::varchar AS password, '["X1234567L","Y1234567X"]'::jsonb AS authorized_nifs, 1 AS self, '"ES0031000000000001BJ0F"'::json AS cups`,
		"texts":    `SELECT '12345678Z'::nif AS "USERNAME", ' pw;é"'' '::text AS password, 'X1234567L; Y1234567X;' AS authorized_nifs, 'yes'::yesno AS self, '["ES0031000000000001BJ0F"]' AS cups`,
		"domains":  `SELECT ARRAY['X1234567L'::nif,'Y1234567X'] AS authorized_nifs, ' pw;é"'' ' AS password, '12345678Z' AS username, 'sí' AS self, ARRAY['ES0031000000000001BJ0F'::char(22)] AS cups`,
		"with CTE": `WITH u AS (SELECT '12345678Z' AS username) SELECT *, ' pw;é"'' ' AS password, ARRAY['X1234567L','Y1234567X'] AS authorized_nifs, 't' = 't' AS self, 'ES0031000000000001BJ0F' AS cups FROM u;`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if problems := check(t.Context(), sdk.Instance{Name: "north"}, w.config(query)); len(problems) > 0 {
				t.Errorf("the check found %v", problems)
			}
			if l := list(t, w.config(query)); l.err != nil || !slices.Equal(l.texts(), []string{want}) {
				t.Errorf("got %q, %v", l.texts(), l.err)
			}
		})
	}
}

func TestMariaDBTypes(t *testing.T) {
	t.Parallel()
	const want = "key 7|12345678Z| pw;é\"' |[X1234567L Y1234567X]|true|[ES0031000000000001BJ0F]"
	w := mariadbWorld(t,
		"CREATE TABLE u (id BIGINT UNSIGNED, name VARCHAR(20), pw TEXT, nifs JSON, self BOOLEAN, self2 BIT(1), self3 ENUM('yes','no'), cups VARCHAR(200))",
		`INSERT INTO u VALUES (7, '12345678z', ' pw;é"'' ', '["X1234567L","Y1234567X"]', TRUE, b'1', 'yes', 'ES0031000000000001BJ0F;')`)
	for name, query := range map[string]string{
		"json":     `SELECT id AS "key", name AS username, pw AS password, nifs AS authorized_nifs, self, cups FROM u`,
		"bit":      `SELECT id AS "key", name AS username, pw AS password, nifs AS authorized_nifs, self2 AS self, cups FROM u;`,
		"enum":     `SELECT id AS "key", name AS username, pw AS password, 'X1234567L;y1234567x' AS authorized_nifs, self3 AS self, cups FROM u`,
		"with CTE": `WITH v AS (SELECT * FROM u) SELECT id AS "key", name AS username, pw AS password, nifs AS authorized_nifs, 1 = 1 AS self, JSON_ARRAY(TRIM(';' FROM cups)) AS cups FROM v`,
		"crypt":    `SELECT id AS "key", name AS username, AES_DECRYPT(AES_ENCRYPT(pw, 'x'), 'x') AS password, nifs AS authorized_nifs, self, cups FROM u`,
	} {
		query := strings.ReplaceAll(query, `"key"`, "`key`")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if problems := check(t.Context(), sdk.Instance{Name: "north"}, w.config(query)); len(problems) > 0 {
				t.Errorf("the check found %v", problems)
			}
			if l := list(t, w.config(query)); l.err != nil || !slices.Equal(l.texts(), []string{want}) {
				t.Errorf("got %q, %v", l.texts(), l.err)
			}
		})
	}
}

// TestNullsAreDefaults takes what is NULL, or no column at all, as an empty cell
// of a file.
func TestNullsAreDefaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t)
		for query, want := range map[string]string{
			"SELECT '12345678Z' AS username, 'pw' AS password":                                                                "row 1|12345678Z|pw|[]|true|[]",
			"SELECT '12345678Z' AS username, 'pw' AS password, NULL AS authorized_nifs, NULL AS self, NULL AS cups":           "row 1|12345678Z|pw|[]|true|[]",
			"SELECT '12345678Z' AS username, 'pw' AS password, 'X1234567L' AS authorized_nifs, NULL AS self":                  "row 1|12345678Z|pw|[X1234567L]|false|[]",
			"SELECT '12345678Z' AS username, 'pw' AS password, '[]' AS authorized_nifs, '' AS self, 'null' AS cups WHERE 1=0": "",
		} {
			if l := list(t, w.config(query)); l.err != nil || strings.Join(l.texts(), "\n") != want {
				t.Errorf("%s:\ngot %q, %v\nwant %s", query, l.texts(), l.err, want)
			}
		}
	})
}

// TestBadRows hands over the good rows, and says of each bad one where it is and
// what is wrong, without a value of it.
func TestBadRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t, "CREATE TABLE u (id int, username varchar(99), password varchar(99), nifs varchar(99), self varchar(99), cups varchar(99))",
			`INSERT INTO u VALUES
				(1, '12345678Z', 'canary1', NULL, NULL, NULL),
				(2, NULL, 'canary2', NULL, NULL, NULL),
				(3, '00000000T', NULL, NULL, NULL, NULL),
				(4, '00000000T', 'canary4', 'canary four', NULL, NULL),
				(5, '00000000T', 'canary5', '["canary5", {}]', 'canary', 'canary'),
				(6, '00000000T', 'canary6', NULL, 'no', NULL),
				(7, '00000000X', 'canary7', NULL, 'yes', NULL)`)
		query := "SELECT username, password, nifs AS authorized_nifs, self, cups FROM u ORDER BY id"
		l := list(t, w.config(query))
		if want := []string{"row 1|12345678Z|canary1|[]|true|[]", "row 7|00000000X|canary7|[]|true|[]"}; !slices.Equal(l.texts(), want) {
			t.Errorf("got %q, want %q", l.texts(), want)
		}
		if kindOf(l.err) != sdk.Invalid || strings.Contains(l.err.Error()+l.log, "canary") {
			t.Errorf("kind %q: %v\n%s", kindOf(l.err), l.err, l.log)
		}
		golden(t, "badrows.txt", strings.Split(l.err.Error(), "\n"))
		if strings.Count(l.log, "level=WARN") != 2 {
			t.Errorf("the log should warn of rows 6 and 7:\n%s", l.log)
		}
	})
}

// TestEncryptedPasswords decrypts, in the order of the rows, and names the row
// whose password was encrypted with another secret.
func TestEncryptedPasswords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t, "CREATE TABLE u (id int, username varchar(99), password text)")
		var values, want []string
		for i := range 6 {
			plain := fmt.Sprintf("pässword %d", i)
			text, err := password.Encrypt("the secret", plain)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, fmt.Sprintf("(%d, '12345678Z', '%s')", i, text))
			want = append(want, fmt.Sprintf("key %d|12345678Z|%s|[]|true|[]", i, plain))
		}
		other, err := password.Encrypt("another secret", "canary")
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, fmt.Sprintf("(20, '00000000T', '%s'), (21, '00000000T', 'canary'), (22, '00000000T', NULL)", other))
		c := w.config("SELECT id AS " + map[string]string{"postgres": `"key"`, "mariadb": "`key`"}[w.name] + ", username, password FROM u ORDER BY id")
		c.SecretPassword = sdk.NewSecret("the secret")
		insert(t, w, "INSERT INTO u VALUES "+strings.Join(values, ","))
		l := list(t, c)
		if !slices.Equal(l.texts(), want) {
			t.Errorf("got  %q\nwant %q", l.texts(), want)
		}
		golden(t, "undecryptable.txt", strings.Split(l.err.Error(), "\n"))
		if strings.Contains(l.err.Error(), "canary") || strings.Contains(l.err.Error(), "the secret that") {
			t.Errorf("a secret shows: %v", l.err)
		}
	})
}

// TestNothingIsWritten runs queries that would change the database.
func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	w := postgresWorld(t, "CREATE TABLE u (username text, password text)", "INSERT INTO u VALUES ('12345678Z', 'pw')",
		"CREATE FUNCTION wipe() RETURNS text LANGUAGE sql VOLATILE AS 'DELETE FROM u RETURNING password'")
	m := mariadbWorld(t, "CREATE TABLE u (username text, password text)", "INSERT INTO u VALUES ('12345678Z', 'pw')")
	for _, c := range []Config{
		w.config("DELETE FROM u RETURNING username, password"),
		w.config("SELECT username, wipe() AS password FROM u"),
		w.config("SELECT username, password FROM u; DROP TABLE u"),
		m.config("DELETE FROM u RETURNING username, password"),
		m.config("SELECT username, password FROM u; DROP TABLE u"),
	} {
		if l := list(t, c); kindOf(l.err) != sdk.Precondition || len(l.grants) > 0 {
			t.Errorf("%s: got %q, kind %q: %v", c.Query, l.texts(), kindOf(l.err), l.err)
		}
	}
	for _, w := range []world{w, m} {
		if l := list(t, w.config("SELECT username, password FROM u")); l.err != nil || len(l.grants) != 1 {
			t.Errorf("%s: afterwards there are %q, %v", w.name, l.texts(), l.err)
		}
	}
}

// TestSlowQuery stops waiting, and has the engine try again.
func TestSlowQuery(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t)
		c := w.config(map[string]string{
			"postgres": "SELECT '12345678Z' AS username, 'pw' AS password FROM pg_sleep(600)",
			"mariadb":  "SELECT '12345678Z' AS username, IF(SLEEP(600) = 0, 'pw', 'pw') AS password",
		}[w.name])
		c.Timeout = 300 * time.Millisecond
		if l := list(t, c); kindOf(l.err) != sdk.Unavailable || !strings.Contains(l.err.Error(), "timeout") {
			t.Errorf("kind %q: %v", kindOf(l.err), l.err)
		}
	})
}

// manyUsers is a query for a hundred thousand users.
var manyUsers = map[string]string{
	"postgres": "SELECT 'user' || n AS username, repeat('p', 200) AS password FROM generate_series(1, 100000) n",
	"mariadb":  "SELECT CONCAT('user', seq) AS username, REPEAT('p', 200) AS password FROM seq_1_to_100000",
}

// TestMemory lists a hundred thousand users without holding them.
func TestMemory(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t)
		s := mustSource(t, w.config(manyUsers[w.name]), slog.DiscardHandler)
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		sent, most := 0, uint64(0)
		err := s.ListGrants(t.Context(), func(sdk.Grant) error {
			if sent++; sent%10_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
			return nil
		})
		if err != nil || sent != 100_000 {
			t.Fatalf("sent %d, %v", sent, err)
		}
		// The passwords alone have 20 MB.
		if grown := int64(most) - int64(before.HeapAlloc); grown > 8<<20 {
			t.Errorf("the heap grew by %d KiB", grown>>10)
		}
	})
}

// TestRefusedGrant stops reading, and leaves no connection behind.
func TestRefusedGrant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t)
		refused := errors.New("refused")
		s := mustSource(t, w.config(manyUsers[w.name]), slog.DiscardHandler)
		if err := s.ListGrants(t.Context(), func(sdk.Grant) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := s.ListGrants(ctx, func(sdk.Grant) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
		if w.name != "postgres" {
			return
		}
		admin := postgrestest.Connect(t, w.url)
		waitFor(t, "the connections end", func() bool {
			var open int
			query := "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'datadis-plugin-sql'"
			if err := admin.QueryRow(t.Context(), query).Scan(&open); err != nil {
				t.Fatal(err)
			}
			return open == 0
		})
	})
}
