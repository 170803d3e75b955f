#!/bin/sh
# Scans folders with Kingfisher --turbo, with leakgraph's scanner and with the whole
# command, `leakgraph scan`, in turn.
# usage: compare_scan.sh KINGFISHER FOLDER...
set -eu
kingfisher=$1
shift
release=${CARGO_TARGET_DIR:-target}/release
ours=$release/examples/scan_folder
rounds=${ROUNDS:-5}
for program in "$kingfisher" "$ours" "$release/leakgraph"; do
    [ -x "$program" ] || { echo "$program: not there; see benches/README.md" >&2; exit 2; }
done
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
    for what in theirs ours single whole; do : >"$out/$what"; done
    round=0
    while [ $round -lt "$rounds" ]; do
        cpu unshare -rn "$kingfisher" scan "$folder" --turbo --no-validate --no-dedup --no-update-check --format json -o "$out/json" >>"$out/theirs"
        cpu "$ours" "$folder" --threads 2 >>"$out/ours"
        cpu "$ours" "$folder" --threads 1 >>"$out/single"
        cpu "$release/leakgraph" scan --format csv "$folder" >>"$out/whole"
        round=$((round + 1))
    done
    theirs=$(median "$out/theirs")
    for what in ours single whole; do
        mine=$(median "$out/$what")
        case $what in
            ours) name="the scanner on 2 threads" ;;
            single) name="the scanner on 1 thread" ;;
            whole) name="leakgraph scan" ;;
        esac
        echo "$folder $megabytes $theirs $mine $name" |
            awk '{ printf "%s: %s MB; kingfisher --turbo %.1f MB per CPU second (%s s), %s %.1f (%s s): %.2f x\n", $1, $2, $2 / $3, $3, substr($0, index($0, $5)), $2 / $4, $4, $3 / $4 }'
    done
done
