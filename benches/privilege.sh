#!/bin/sh
# Whole-process CPU seconds and peak memory of Cloudsplaining and of leakgraph's policy engine
# on one account, in turn.
# usage: privilege.sh CLOUDSPLAINING ACCOUNT.json
set -eu
cloudsplaining=$1
account=$2
ours=${CARGO_TARGET_DIR:-target}/release/examples/account
rounds=${ROUNDS:-5}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# CPU seconds, user and system, and peak memory in MB.
measured() {
    /usr/bin/time -f '%U %S %M' -o "$out/time" "$@" >"$out/stdout" 2>&1
    tail -n 1 "$out/time" | awk '{ printf "%.2f %.0f\n", $1 + $2, $3 / 1024 }'
}

median() { sort -n "$1" | awk '{ all[NR] = $0 } END { print all[int((NR + 1) / 2)] }'; }

: >"$out/ours"
: >"$out/read"
round=0
while [ $round -lt "$rounds" ]; do
    measured "$ours" "$account" --read >>"$out/read"
    measured "$ours" "$account" >>"$out/ours"
    tail -n 1 "$out/stdout" >"$out/totals"
    round=$((round + 1))
done
cat "$out/totals"
echo "leakgraph: $(median "$out/ours") (CPU s, MB); reading alone: $(median "$out/read")"
# Once: it takes minutes.
theirs=$(measured "$cloudsplaining" scan --input-file "$account" --output "$out" --skip-open-report)
echo "cloudsplaining: $theirs (CPU s, MB)"
echo "$theirs $(median "$out/ours")" | awk '{ printf "%.0f x less CPU, %.1f x less memory\n", $1 / $3, $2 / $4 }'
