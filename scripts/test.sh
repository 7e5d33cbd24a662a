#!/usr/bin/env bash
# test.sh [--all]: everything that CI runs. Brings up the servers that the tests
# need, installs what is missing for that where it may, and says at the end which
# real servers the tests ran on.
set -euo pipefail
cd "$(dirname "$0")/.."

redis=yes
kafka=yes

if ! command -v redis-server >/dev/null && ! scripts/apt-install.sh redis-server; then
  echo "test: there is no redis-server, and it cannot be installed here." >&2
  echo "      Install it: apt-get install redis-server, dnf install redis, brew install redis." >&2
  exit 1
fi

# The Kafka suites run on the embedded broker, and on a real one: that of
# DATADIS_TEST_KAFKA if it is set, else one that each test binary starts.
# Where its jars are given, tests fail rather than leave it out.
why=$(mktemp)
trap 'rm -f "$why"' EXIT
if jars=$(scripts/kafka-jars.sh 2>"$why"); then
  export DATADIS_TEST_KAFKA_JARS=$jars
elif [[ -z ${DATADIS_TEST_KAFKA:-} ]]; then
  kafka="no ($(tail -n 1 "$why"))"
fi
cat "$why" >&2

# The protocol is spoken by a plugin in Python too.
python=yes
if interpreter=$(scripts/python.sh 2>"$why"); then
  export DATADIS_TEST_PYTHON=$interpreter
else
  python="no ($(tail -n 1 "$why"))"
fi

# The plugins' tests run on the databases that are installed here; --all installs
# them first. One that is here is not left out.
has() {
  PATH=$PATH:/usr/sbin:/usr/libexec:$(printf '%s:' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin) command -v "$1" >/dev/null
}
postgres=yes mariadb=yes DATADIS_TEST_REQUIRE=
if [[ ${1:-} == --all ]]; then
  has postgres || scripts/apt-install.sh postgresql || true
  has mariadbd || scripts/apt-install.sh mariadb-server || true
fi
if has postgres; then DATADIS_TEST_REQUIRE+=postgres,; else postgres="no (apt-get install postgresql)"; fi
if has mariadbd; then DATADIS_TEST_REQUIRE+=mariadb; else mariadb="no (apt-get install mariadb-server)"; fi
export DATADIS_TEST_REQUIRE

# So does Neo4j, which --all fetches.
neo4j="no (scripts/test.sh --all fetches it)"
if [[ ${1:-} == --all ]]; then
  if jars=$(scripts/neo4j-jars.sh 2>"$why"); then
    export DATADIS_TEST_NEO4J_JARS=$jars
  else
    neo4j="no ($(tail -n 1 "$why"))"
  fi
fi
if [[ -f .cache/neo4j/pom.xml ]] && command -v java >/dev/null; then neo4j=yes; fi

scripts/lint.sh

# Tests that start the engine many times, as processes of its own: with the race
# detector in each of them, two cores are busy with little else. The same code runs
# with it in all other tests, and with --all here too.
processes='^(TestFleet|TestCrashMatrix|TestChaos|TestRunWhile|TestKeysChange|TestConsumerIsSeen)'
race=() calm=(-skip '^TestChaos$')
if [[ ${1:-} == --all ]]; then race=(-race) calm=(); fi

echo "test: go test -race ./..."
start=$SECONDS
go test -race -skip "$processes" -timeout 14m ./...
echo "test: $((SECONDS - start)) s"

# Most of these wait: for leases, for groups, for servers.
echo "test: the engine as many processes"
start=$SECONDS
go test "${race[@]}" -run "$processes" "${calm[@]}" -parallel 4 -timeout 14m ./engine
echo "test: $((SECONDS - start)) s"

if [[ ${1:-} == --all && $kafka == yes ]]; then
  for seed in 1 2 3; do
    echo "test: chaos, seed $seed"
    start=$SECONDS
    scripts/chaos.sh "$seed" 3
    echo "test: $((SECONDS - start)) s"
  done
fi

# The image and the manifests; what cannot be tried here is said by name.
echo "test: tools/deploy"
start=$SECONDS
log=$(mktemp)
go -C tools/deploy test -v -timeout 10m ./... >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
grep -A1 -e '--- SKIP' "$log" || true
rm -f "$log"
echo "test: $((SECONDS - start)) s"
echo "real: redis $redis, kafka $kafka, python $python, postgres $postgres, mariadb $mariadb, timescaledb no (no Debian package), neo4j $neo4j"
