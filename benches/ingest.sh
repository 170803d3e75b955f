#!/bin/sh
# CPU seconds of `leakgraph ingest` (evidence, scan, commit) and of `leakgraph scan` on the
# same folder, in turn.
# usage: ingest.sh LEAKGRAPH FOLDER
set -eu
binary=$1
folder=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cpu() {
    /usr/bin/time -f '%U %S' -o "$out/time" "$@" >/dev/null 2>&1 || true
    tail -n 1 "$out/time" | awk '{ print $1 + $2 }'
}

median() { sort -n "$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

: >"$out/ingest"
: >"$out/scan"
for _ in 1 2 3 4 5; do
    rm -rf "$out/lake"
    cpu "$binary" ingest --lake "$out/lake" "$folder" >>"$out/ingest"
    cpu "$binary" scan "$folder" >>"$out/scan"
done
echo "$(median "$out/ingest") $(median "$out/scan")" |
    awk '{ printf "ingest %.2f CPU seconds, scan %.2f: %.0f %% of its throughput\n", $1, $2, 100 * $2 / $1 }'
