#!/usr/bin/env bash
# python.sh: prepare a Python with what the plugin in another language needs, in
# .cache/python, and print its path. Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=sdk/conformance/testdata/python/requirements.txt
folder=.cache/python
if ! cmp -s "$wanted" "$folder/installed.txt"; then
  rm -rf "$folder"
  mkdir -p .cache
  {
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
  } >&2
  cp "$wanted" "$folder/installed.txt"
fi
echo "$PWD/$folder/bin/python"
