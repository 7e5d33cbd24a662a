#!/usr/bin/env bash
# apt-install.sh PACKAGE…: install Debian packages, if this user may without
# being asked for a password. Fails quietly where that cannot be.
set -euo pipefail

as=(env)
if [[ $(id -u) != 0 ]]; then
  command -v sudo >/dev/null || exit 1
  as=(sudo -n)
fi
command -v apt-get >/dev/null || exit 1
echo "test: installing $*" >&2
"${as[@]}" apt-get update -qq >&2
"${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
