#!/usr/bin/env bash
# kafka-jars.sh: fetch the Kafka broker that the tests start, once, and print
# the folder that it lies in. Installs Java and Maven where they are missing and
# it may. Where the broker cannot be had, the last line on stderr says why.
set -euo pipefail
cd "$(dirname "$0")/.."

jars=$PWD/.cache/kafka
java_wanted=17

fail() {
  echo "$*" >&2
  exit 1
}

java_version() {
  command -v java >/dev/null || return 1
  java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p'
}

recent_java() {
  local version
  version=$(java_version) && [[ -n $version && $version -ge $java_wanted ]]
}

for package in openjdk-17-jre-headless default-jre-headless; do
  recent_java || scripts/apt-install.sh "$package" || true
done
recent_java || fail "no Java $java_wanted or newer"

# The copy of pom.xml is made last: with it, the folder is whole.
if ! cmp -s scripts/kafka/pom.xml "$jars/pom.xml"; then
  command -v mvn >/dev/null || scripts/apt-install.sh maven || fail "no Maven"
  rm -rf "$jars"
  mkdir -p "$jars"
  log=$jars/maven.log
  # With the settings of this machine: mirrors and proxies are theirs.
  if ! mvn --batch-mode --quiet --file scripts/kafka/pom.xml dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$jars" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "Maven could not fetch it"
  fi
  cp scripts/kafka/pom.xml "$jars/pom.xml"
fi
echo "$jars"
