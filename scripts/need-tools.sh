#!/bin/sh
# need-tools.sh TOOL…: make sure that the tools for building are there, and say
# how to get one that is not. Known: go, cc.
set -eu

go_wanted=1.26

missing() {
  printf 'make: %s\n' "$@" >&2
  exit 1
}

for tool in "$@"; do
  case $tool in
    go)
      command -v go >/dev/null || missing \
        "Go $go_wanted or newer is needed and was not found." \
        "Get it from https://go.dev/dl/ (unpack to /usr/local and add /usr/local/go/bin to PATH)," \
        "or with your package manager: apt-get install golang, dnf install golang, brew install go."
      # An older Go fetches the version that go.mod names, unless told not to.
      go version >/dev/null || missing "the go command at $(command -v go) does not work."
      ;;
    cc)
      # Only the Kafka client needs it.
      cc=$(go env CC 2>/dev/null || echo cc)
      command -v "${cc%% *}" >/dev/null || missing \
        "a C compiler is needed for the Kafka client and '$cc' was not found." \
        "Get one: apt-get install gcc libc6-dev, dnf install gcc, apk add gcc musl-dev, or xcode-select --install."
      ;;
    *)
      missing "need-tools.sh: unknown tool $tool"
      ;;
  esac
done
