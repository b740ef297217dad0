#!/bin/sh
# Makes the calibration studies that validation/sbc records, or goes on with them, and copies what they found there.
# Arguments go to every study: `sh scripts/calibrate.sh --workers 1`. Replications can be set for a trial:
# `SCALE=25 sh scripts/calibrate.sh` makes one in 25 of them, in a folder of its own, and records nothing.
set -eu

scale=${SCALE:-1}
studies=runs/calibrate
[ "$scale" = 1 ] || studies=runs/calibrate-trial-$scale

# model, scenario, engine, replications, draws
list="
line-generation bundled quadrature 1000 1000
line-generation bundled nuts 200 2000
line-generation three-trials quadrature 400 1000
line-generation eight-patients quadrature 400 1000
line-generation unbalanced-lines quadrature 400 1000
line-generation five-to-a-million quadrature 400 1000
line-generation bundled-fixed quadrature 400 1000
line-generation three-trials-fixed quadrature 400 1000
line-generation eight-patients-fixed quadrature 400 1000
line-generation unbalanced-lines-fixed quadrature 400 1000
line-generation tau-zero quadrature 400 1000
line-generation tau-one quadrature 400 1000
line-generation orr-95 quadrature 400 1000
sequence bundled nuts 200 2000
"
failed=""
while read -r model scenario engine replications draws; do
    [ -n "$model" ] || continue
    name=$scenario-$engine
    # The first model's studies have the names of the scenarios alone.
    [ "$model" = line-generation ] || name=$model-$name
    code=0
    .venv/bin/alkbayes calibrate "$model" --scenario "$scenario" --engine "$engine" \
        --replications $((replications / scale)) --draws "$draws" --out "$studies/$name" "$@" </dev/null || code=$?
    # 6 is a verdict, and recorded as any other; all else is an end.
    [ "$code" = 0 ] || [ "$code" = 6 ] || exit "$code"
    [ "$code" = 0 ] || failed="$failed $name"
    if [ "$scale" = 1 ]; then
        mkdir -p "validation/sbc/$name"
        cp "$studies/$name/study.json" "$studies/$name/summary.json" "validation/sbc/$name/"
    fi
done <<END
$list
END
[ -z "$failed" ] || { echo "not calibrated:$failed" >&2; exit 6; }
