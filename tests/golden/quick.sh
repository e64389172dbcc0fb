# Small predictions in full: an aggregated engine, a pair, a sweep that is the
# same for any number of workers, and in single steps.
set -e
q="--quiet --set load.requests=400"
"$TANDEM" run scenarios/bench/agg-tp1-c64.json $q --json "$TMP/a.json" | grep -v '^store'
"$TANDEM" run scenarios/bench/agg-tp1-c64.json $q --engine-steps --json "$TMP/b.json" > /dev/null
"$TANDEM" run scenarios/bench/2p-tp1-1d-tp2-c64.json $q | grep -v '^store'
for j in 1 2 3; do
    "$TANDEM" sweep scenarios/seed/pareto-gpt-oss-120b.json --quiet -j$j \
        --set load.requests=100 --set sweep.waves=1 --json "$TMP/s$j.jsonl" > /dev/null
done
cmp "$TMP/s1.jsonl" "$TMP/s2.jsonl" && cmp "$TMP/s1.jsonl" "$TMP/s3.jsonl"
echo "same bytes for -j1 -j2 -j3: $(wc -l < "$TMP/s1.jsonl") lines"
grep -v '"steps"\|"events"' "$TMP/a.json" > "$TMP/a"; grep -v '"steps"\|"events"' "$TMP/b.json" > "$TMP/b"
cmp "$TMP/a" "$TMP/b" && echo "single steps give the same answer"
"$TANDEM" run scenarios/bench/agg-tp1-c4.json $q --set slo.itl_ms_p99=0.01 > /dev/null 2> "$TMP/err" && exit 1
echo "exit $?: $(cat "$TMP/err")"
