#!/usr/bin/env bash
# chaos.sh SEED MINUTES [LOGS]: one chaos on real servers. What happens when
# follows from the seed; it is printed, and so are the counts at the end. LOGS is
# a folder that keeps the logs of all processes.
set -euo pipefail
cd "$(dirname "$0")/.."

seed=${1:?the seed}
minutes=${2:?how many minutes}
logs=${3:-}

command -v redis-server >/dev/null || scripts/apt-install.sh redis-server
if [[ -z ${DATADIS_TEST_KAFKA_JARS:-} ]]; then
  DATADIS_TEST_KAFKA_JARS=$(scripts/kafka-jars.sh)
  export DATADIS_TEST_KAFKA_JARS
fi
if [[ -n $logs ]]; then
  mkdir -p "$logs"
  logs=$(cd "$logs" && pwd)
fi
go test ./engine -count=1 -v -run '^TestChaos$' -timeout 3h -args -chaos-seed "$seed" -chaos-minutes "$minutes" -chaos-logs "$logs"
