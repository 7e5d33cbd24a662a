#!/bin/sh
# image-build.sh TARGETARCH DIR VERSION COMMIT: build the engine and the plugins
# for Linux on a processor, into DIR/engine and DIR/plugins. The Dockerfile
# calls it.
set -eu
target=$1 dir=$2 version=$3 commit=$4

export GOFLAGS="-trimpath -buildvcs=false"
native=$(go env GOHOSTARCH)
mkdir -p "$dir/plugins"

# The Kafka client needs cgo, and so a C compiler for the target.
compiler=cc
if [ "$target" != "$native" ]; then
  case $target in
    amd64) compiler=x86_64-linux-gnu-gcc ;;
    arm64) compiler=aarch64-linux-gnu-gcc ;;
  esac
fi
CGO_ENABLED=1 CC=$compiler GOOS=linux GOARCH=$target \
  go build -ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$dir/engine" ./engine

for main in plugins/*/main.go; do
  name=$(basename "$(dirname "$main")")
  binary="$dir/plugins/datadis-plugin-$name"
  CGO_ENABLED=0 GOOS=linux GOARCH=$target go build -ldflags "-s -w" -o "$binary" "./plugins/$name"
  # The manifest does not depend on the processor; this one can be run here.
  if [ "$target" = "$native" ]; then
    "$binary" manifest >"$binary.json"
  else
    CGO_ENABLED=0 go run "./plugins/$name" manifest >"$binary.json"
  fi
done
