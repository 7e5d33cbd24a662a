#!/usr/bin/env bash
# demo-postgres.sh start DIR | stop DIR: an empty PostgreSQL of its own, on
# loopback and a free port. start writes DIR/url; stop ends it and removes DIR.
set -euo pipefail
command=$1 dir=$2

fail() { echo "demo-postgres: $*" >&2; exit 1; }

find_program() {
  PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin) command -v "$1" ||
    fail "there is no $1; install PostgreSQL: apt-get install postgresql, dnf install postgresql-server, brew install postgresql"
}

# PostgreSQL refuses to run as root, so nobody runs it then.
as=()
if [[ $(id -u) == 0 ]]; then as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups); fi

case $command in
  start)
    initdb=$(find_program initdb) pg_ctl=$(find_program pg_ctl)
    mkdir -p "$dir"
    if [[ ${#as[@]} -gt 0 ]]; then chown nobody "$dir"; fi
    cd "$dir"
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && echo "$password" >password)
    if [[ ${#as[@]} -gt 0 ]]; then chown nobody password; fi
    "${as[@]}" "$initdb" -D "$dir/data" -U demo -A scram-sha-256 --pwfile password -E UTF8 --locale C -N >initdb.log 2>&1 ||
      { cat initdb.log >&2; exit 1; }
    # A port that is free now may be taken a moment later: try a few.
    for _ in 1 2 3 4 5; do
      port=$((20000 + RANDOM % 20000))
      if "${as[@]}" "$pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -s \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start >/dev/null 2>&1; then
        (umask 077 && echo "postgres://demo:$password@127.0.0.1:$port/postgres" >url)
        exit 0
      fi
    done
    cat "$dir/data/server.log" >&2
    fail "the server did not start"
    ;;
  stop)
    if [[ -f $dir/data/postmaster.pid ]]; then
      (cd "$dir" && "${as[@]}" "$(find_program pg_ctl)" -D "$dir/data" -m immediate -s -w stop)
    fi
    rm -rf "$dir"
    ;;
  *) fail "want start or stop" ;;
esac
