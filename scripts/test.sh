#!/usr/bin/env bash
# test.sh [--all]: everything that CI runs. Installs a redis-server where there
# is none and it may, and says at the end which real servers the tests ran on.
set -euo pipefail
cd "$(dirname "$0")/.."

redis=yes
kafka="no (embedded broker only; DATADIS_TEST_KAFKA names a real one)"

install_redis() {
  command -v redis-server >/dev/null && return
  local as=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || return 1
    as=(sudo -n)
  fi
  command -v apt-get >/dev/null || return 1
  echo "test: installing redis-server"
  "${as[@]}" apt-get update -qq && "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server >/dev/null
}

if ! install_redis || ! command -v redis-server >/dev/null; then
  echo "test: there is no redis-server, and it cannot be installed here." >&2
  echo "      Install it: apt-get install redis-server, dnf install redis, brew install redis." >&2
  exit 1
fi
# The Kafka suites run on the embedded broker, and on a real one if an address
# is given.
if [[ -n ${DATADIS_TEST_KAFKA:-} ]]; then kafka=yes; fi

scripts/lint.sh

echo "test: go test -race ./..."
start=$SECONDS
go test -race -timeout 14m ./...
echo "test: $((SECONDS - start)) s"
echo "real: redis $redis, kafka $kafka, neo4j no (no plugin uses it yet)"
