#!/bin/sh
# Bars G1 and G2 on generated graphs: one million nodes, ten million arcs.
# `knotted` has one large component without cost, `layered` hardly any cycles.
set -eu
closure=${CARGO_TARGET_DIR:-target}/release/examples/closure_scale
for shape in "knotted 55 980" "layered 1 947"; do
    set -- $shape
    echo "== $1"
    /usr/bin/time -f "whole process: %e s wall, %U s user, %M KB" "$closure" --backward "$2" --inside "$3"
    for way in runs local spread; do
        "$closure" --backward "$2" --inside "$3" --grow $way | sed -n '/more/p;/largest relative/p'
    done
done
