#!/bin/sh
# image-compiler.sh BUILDARCH TARGETARCH: install what compiles C for the target
# where that is another processor. The Dockerfile calls it.
set -eu
build=$1 target=$2
[ "$build" != "$target" ] || exit 0
case $target in
  amd64) packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
  arm64) packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
  *) echo "image-compiler.sh: the Kafka client has no library for $target" >&2; exit 1 ;;
esac
apt-get update -qq
# shellcheck disable=SC2086 # a list
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
rm -rf /var/lib/apt/lists/*
