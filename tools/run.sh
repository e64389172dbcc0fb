#!/bin/sh
# Answers the seed question: the llm-d study on MI300X, question by question,
# into build/run/, and prints the ranked plan.  Called by `make run`.
set -eu
cd "$(dirname "$0")/.."
tandem=build/tandem
seed=scenarios/seed
out=build/run
mkdir -p "$out"
began=$(date +%s)

say() { printf '\n== %s\n' "$*" >&2; }

for model in llama-70b gpt-oss-120b; do
    for kind in phases pair; do
        say "$kind of $model"
        "$tandem" phases "$seed/$kind-$model.json" \
            --json "$out/$kind-$model.json" --csv "$out/$kind-$model.csv" \
            > "$out/$kind-$model.txt"
    done
    say "Pareto sweep of $model"
    "$tandem" sweep "$seed/pareto-$model.json" \
        --json "$out/pareto-$model.jsonl" --csv "$out/pareto-$model.csv" \
        --summary "$out/pareto-$model.json" > "$out/pareto-$model.txt"
done
say "scale-out of gpt-oss-120b"
"$tandem" sweep "$seed/scaleout-gpt-oss-120b.json" \
    --json "$out/scaleout-gpt-oss-120b.jsonl" \
    --csv "$out/scaleout-gpt-oss-120b.csv" \
    --summary "$out/scaleout-gpt-oss-120b.json" \
    > "$out/scaleout-gpt-oss-120b.txt"
for model in llama-70b gpt-oss-120b; do
    say "plan for $model: every topology on up to 72 GPUs"
    "$tandem" sweep "$seed/plan-$model.json" \
        --json "$out/plan-$model.jsonl" --csv "$out/plan-$model.csv" \
        --summary "$out/plan-$model.json" > "$out/plan-$model.txt"
    cat "$out/plan-$model.txt"
done
say "report"
"$tandem" report --html "$out/report.html" --claims "$seed/claims.json" \
    "$out/plan-llama-70b.json" "$out/plan-gpt-oss-120b.json" \
    "$out/pareto-llama-70b.json" "$out/pareto-gpt-oss-120b.json" \
    "$out/scaleout-gpt-oss-120b.json" \
    "$out/phases-llama-70b.json" "$out/phases-gpt-oss-120b.json" \
    "$out/pair-llama-70b.json" "$out/pair-gpt-oss-120b.json"
printf '\nall answers are in %s, the report is %s/report.html (%s s)\n' \
    "$out" "$out" "$(($(date +%s) - began))"
