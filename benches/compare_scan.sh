#!/bin/sh
# Scans folders with Kingfisher --turbo and with leakgraph's scanner, in turn.
# usage: compare_scan.sh KINGFISHER FOLDER...
set -eu
kingfisher=$1
shift
ours=${CARGO_TARGET_DIR:-target}/release/examples/scan_folder
rounds=${ROUNDS:-5}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# CPU seconds of a command, user and system, of all its threads.
cpu() {
    /usr/bin/time -f '%U %S' -o "$out/time" "$@" >/dev/null 2>&1 || true
    tail -n 1 "$out/time" | awk '{ print $1 + $2 }'
}

median() { sort -n "$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

for folder in "$@"; do
    megabytes=$(find "$folder" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum / 1e6 }')
    : >"$out/theirs"
    : >"$out/ours"
    : >"$out/single"
    round=0
    while [ $round -lt "$rounds" ]; do
        cpu unshare -rn "$kingfisher" scan "$folder" --turbo --no-validate --no-dedup --format json -o "$out/json" >>"$out/theirs"
        cpu "$ours" "$folder" --threads 2 >>"$out/ours"
        cpu "$ours" "$folder" --threads 1 >>"$out/single"
        round=$((round + 1))
    done
    theirs=$(median "$out/theirs")
    for threads in ours single; do
        mine=$(median "$out/$threads")
        echo "$folder $threads $megabytes $theirs $mine" |
            awk '{ printf "%s: %s MB; kingfisher --turbo %.1f MB per CPU second, %s %.1f: %.2f x\n", $1, $3, $3 / $4, $2 == "ours" ? "leakgraph on 2 threads" : "leakgraph on 1 thread", $3 / $5, $4 / $5 }'
    done
done
