#!/usr/bin/env bash
# lint.sh: gofmt, go vet, and the checks of the plugin protocol.
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l $(git ls-files '*.go' | grep -v '\.pb\.go$'))
if [[ -n $unformatted ]]; then
  printf 'gofmt would change:\n%s\n' "$unformatted" >&2
  exit 1
fi
go vet ./...

if [[ -f buf.yaml && -f tools/buf/go.mod ]]; then
  buf() { go tool -modfile=tools/buf/go.mod buf "$@"; }
  buf lint
  buf format -d --exit-code >/dev/null || { echo "buf format would change the .proto files" >&2; exit 1; }
  # Against what was released last, else what is on main.
  against=$(git describe --tags --abbrev=0 2>/dev/null || git rev-parse --verify -q main || true)
  if [[ -n $against ]] && git cat-file -e "$against:buf.yaml" 2>/dev/null; then
    buf breaking --against ".git#ref=$against"
  fi
fi

# The Dockerfile, by the rules of `docker build --check`.
if [[ -f tools/deploy/go.mod ]]; then
  go -C tools/deploy vet ./...
  go -C tools/deploy test -run 'Lint' . >/dev/null || { go -C tools/deploy test -run 'Lint' .; exit 1; }
fi
