#!/usr/bin/env bash
# demo-projects.sh: projects that keep their users and their data in databases.
# From an empty PostgreSQL it loads example users, runs the engine over the
# simulator with the plugins sql and timescale, twice, and compares the counts.
# Then it does so with sql, sime and cosmic at once, from another empty PostgreSQL
# and an empty Neo4j.
# Everything but the database lies in demo-projects/, made anew each time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
rm -rf demo-projects
mkdir -p demo-projects/plugins
cd demo-projects

simulator=
postgres=$(mktemp -d)
stop() {
  if [[ -n $simulator ]]; then kill "$simulator" 2>/dev/null || true; wait "$simulator" 2>/dev/null || true; fi
  "$root/scripts/demo-postgres.sh" stop "$postgres" || true
}
trap stop EXIT

"$root/bin/engine" simulate --seed 2026 --accounts 4 --supplies 3 --dir simulator --listen 127.0.0.1:0 \
  --url-file url --log requests.jsonl --truth truth.csv --users-out users.csv >simulator.log 2>&1 &
simulator=$!
"$root/scripts/demo-postgres.sh" start "$postgres"
for _ in $(seq 100); do [[ -s url ]] && break; sleep 0.1; done
[[ -s url ]] || { echo "the simulator did not start:" >&2; cat simulator.log >&2; exit 1; }
echo "simulated Datadis: $(cat url)"

sql() { psql "$(cat "$postgres/url")" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# The project north keeps its users in a table, lists as arrays.
sql <<'Q'
CREATE TABLE datadis_users (username text, password text, nifs text, self text, cups text);
\copy datadis_users FROM 'users.csv' WITH (FORMAT csv, HEADER)
ALTER TABLE datadis_users ADD id integer GENERATED ALWAYS AS IDENTITY,
  ALTER nifs TYPE text[] USING string_to_array(nifs, ';'), ALTER cups TYPE text[] USING string_to_array(cups, ';');
Q
cat >plugins/config_north.json <<J
{
  "plugin": "sql", "url": {"file": "$postgres/url"},
  "query": "SELECT id AS key, username, password, nifs AS authorized_nifs, self, cups FROM datadis_users ORDER BY id"
}
J
cat >plugins/config_timescale.json <<J
{"url": {"file": "$postgres/url"}}
J
cat >config.json <<J
{
  "datadis": {"base_url": "$(cat url)", "login_retry": "3s"},
  "plugins": {"config_dir": "plugins"}
}
J

run() { "$root/bin/engine" run --config config.json --output json >"$1.json" 2>"$1.log" || { tail -20 "$1.log" >&2; exit 1; }; }
published() { grep -o "\"$2\": *[0-9]*" "$1.json" | awk -F: '{ sum += $2 } END { print sum + 0 }'; }
state() { sql -c "SELECT md5(string_agg(r::text, chr(10) ORDER BY r::text)) FROM datadis.readings r"; }

failed=0
agree() { # WHAT COUNT WHAT COUNT
  local mark=ok
  if [[ $2 != "$4" || -z $2 ]]; then mark=DIFFERENT failed=1; fi
  printf '%-34s %10s   %-34s %10s   %s\n' "$1" "$2" "$3" "$4" "$mark"
}

echo "first run"
run first
before=$(state)
agree "supplies in Datadis" "$(tail -n +2 truth.csv | cut -d, -f1 | sort -u | wc -l)" \
  "supplies in PostgreSQL" "$(sql -c 'SELECT count(DISTINCT cups) FROM datadis.supply')"
agree "readings published" "$(published first readings)" \
  "rows in PostgreSQL" "$(sql -c 'SELECT count(*) FROM datadis.readings')"
echo "second run"
run second
agree "readings published" "$(published second readings)" "new since the first run" 0
agree "content after the first run" "${before:0:10}" "content after the second" "$(state | cut -c1-10)"

echo
echo "sql, sime and cosmic at once"
cd "$root"
if ! jars=$(scripts/neo4j-jars.sh); then
  echo "left out: no Neo4j" >&2
  exit 1
fi
# The test does it: it starts and stops the servers.
if ! DATADIS_TEST_NEO4J_JARS=$jars go test -count=1 -run '^TestProjects$' -v ./plugins/sime >demo-projects/neo4j.log 2>&1; then
  cat demo-projects/neo4j.log >&2
  failed=1
fi
sed -n 's/^ *projects_test.go:[0-9]*: //p' demo-projects/neo4j.log
exit $failed
