#!/usr/bin/env bash
# run-demo.sh: two projects whose users overlap, one with a wrong password,
# against a simulated Datadis. Everything lies in demo/; run it again to see
# that nothing is asked twice.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
mkdir -p demo/plugins
cd demo

simulator=
stop() { if [[ -n $simulator ]]; then kill "$simulator" 2>/dev/null || true; wait "$simulator" 2>/dev/null || true; fi; }
trap stop EXIT

rm -f url
"$root/bin/engine" simulate --seed 2026 --accounts 6 --supplies 4 --dir simulator --listen 127.0.0.1:0 \
  --url-file url --log requests.jsonl --truth truth.csv --users-out users.csv >simulator.log 2>&1 &
simulator=$!
for _ in $(seq 100); do [[ -s url ]] && break; sleep 0.1; done
[[ -s url ]] || { echo "the simulator did not start:" >&2; cat simulator.log >&2; exit 1; }
echo "simulated Datadis: $(cat url)"

# north holds the first four users, south the last four: two are in both. One
# of south's passwords is wrong.
{ head -1 users.csv; sed -n '2,5p' users.csv; } >plugins/users_north.csv
{ head -1 users.csv; sed -n '4,6p' users.csv; tail -1 users.csv | awk -F, -v OFS=, '{ $2 = "not-the-password"; print }'; } >plugins/users_south.csv
cat >plugins/config_north.json <<'J'
{"plugin": "file", "path": "users_north.csv", "topic": "datadis.north"}
J
cat >plugins/config_south.json <<'J'
{"plugin": "file", "path": "users_south.csv", "topic": "datadis.south"}
J
cat >config.json <<J
{
  "datadis": {"base_url": "$(cat url)", "login_retry": "3s"},
  "plugins": {"config_dir": "plugins"}
}
J
"$root/bin/engine" run --config config.json --out out
echo
echo "requests that Datadis refused or saw twice: $(grep -c '"outcome":"refused"' requests.jsonl || true)"
