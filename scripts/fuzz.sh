#!/usr/bin/env bash
# fuzz.sh TIME: fuzz every target of the module for TIME, one after the other.
# What it finds is written to the package's testdata/fuzz; commit it with the
# mend.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:?how long for each, such as 30s or 10m}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
targets=0
failed=()
while IFS=: read -r file name; do
  package=./$(dirname "$file")
  echo "fuzz: $package $name"
  targets=$((targets + 1))
  if ! go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel "${FUZZ_PARALLEL:-1}" 2>&1 | tee "$log"; then
    # Now and then Go calls it a failure that the time is over (golang/go#75804).
    if ! grep -qx ' *context deadline exceeded' "$log" || grep -q 'Failing input written' "$log"; then
      failed+=("$package $name")
    fi
  fi
done < <(git ls-files -co --exclude-standard '*_test.go' | xargs grep -Eo '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/')

echo "fuzz: $targets targets, ${#failed[@]} failed"
if ((${#failed[@]})); then
  printf 'fuzz: %s\n' "${failed[@]}" >&2
  exit 1
fi
