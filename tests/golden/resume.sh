# A sweep that is killed goes on where it was, to the bytes of one that was not.
q="scenarios/seed/pareto-gpt-oss-120b.json --quiet --set load.requests=300 --set sweep.waves=1"
all() { "$TANDEM" sweep $q "$@" > "$TMP/said"; }
set -e
all -j2 --json "$TMP/whole.jsonl" --csv "$TMP/whole.csv"
cp "$TMP/said" "$TMP/said.whole"
[ ! -e "$TMP/whole.jsonl.part" ] || echo "the journal stays"
# killed at some moment: from the start, in mid-run, near the end
for ms in 0.01 0.05 0.1; do
    rm -f "$TMP/cut.jsonl"*
    "$TANDEM" sweep $q -j2 --engine-steps --json "$TMP/cut.jsonl" > "$TMP/o" 2>&1 &
    sleep $ms
    kill -9 $! 2> "$TMP/err" || true
    wait $! 2> "$TMP/err" || true
    all -j1 --resume --json "$TMP/cut.jsonl" --csv "$TMP/cut.csv"
    cmp "$TMP/whole.jsonl" "$TMP/cut.jsonl"
    cmp "$TMP/whole.csv" "$TMP/cut.csv"
    [ ! -e "$TMP/cut.jsonl.part" ] || echo "the journal stays"
done
echo "same bytes after kill -9"
# a journal cut in the middle of a record, by hand
"$TANDEM" sweep $q -j1 --engine-steps --json "$TMP/cut.jsonl" > "$TMP/o" 2>&1 &
for i in $(seq 400); do
    n=$(stat -c %s "$TMP/cut.jsonl.part" 2> "$TMP/err" || echo 0)
    [ "$n" -gt 5000 ] && break
    sleep 0.005
done
kill -9 $! 2> "$TMP/err" || true
wait $! 2> "$TMP/err" || true
if [ -e "$TMP/cut.jsonl.part" ]; then
    truncate -s -100 "$TMP/cut.jsonl.part"
    cp "$TMP/cut.jsonl.part" "$TMP/torn"
    all -j2 --resume --json "$TMP/cut.jsonl"
    cmp "$TMP/whole.jsonl" "$TMP/cut.jsonl"
    cmp "$TMP/said.whole" "$TMP/said"
    cp "$TMP/torn" "$TMP/cut.jsonl.part"
    "$TANDEM" sweep $q --resume --seed 7 --json "$TMP/cut.jsonl" > "$TMP/o" 2> "$TMP/err" && exit 1
    sed "s#$TMP#TMP#g" "$TMP/err"
else
    echo "it was over before it could be cut"
fi
"$TANDEM" sweep $q --resume > "$TMP/o" 2> "$TMP/err" && exit 1
cat "$TMP/err"
exit 0
