# Bad input: one sentence with file, path and value, and the exit code.
say() { # expected exit, command...
    want=$1; shift
    "$@" > "$TMP/out" 2> "$TMP/err" < /dev/null
    got=$?
    sed "s#$TMP#TMP#g; s#$TANDEM_DATA/##g" "$TMP/err"
    [ "$got" = "$want" ] || echo "exit $got, not $want"
    [ -s "$TMP/out" ] && echo "and it printed:" && head -3 "$TMP/out"
}
s=scenarios/bench/agg-tp1-c4.json
set_() { say 3 "$TANDEM" run $s --set "$@"; }

set_ load.requsts=10
set_ load.requests=0
set_ load.requests=-5
set_ load.requests=1e30
set_ load.requests=2.5
set_ 'load.requests=many'
set_ load.isl.tokens=0
set_ load.arrival.kind=poison
set_ load.arrival.concurrency=0
set_ load.arrival.concurrency=NaN
set_ engine.max_num_sqs=4
set_ engine.block_size=0
set_ engine.gpu_memory_utilization=1.5
set_ engine.profile=vllm-9
set_ gpu=mi300y
set_ model=llama-3.3-70b-fp9
set_ wire=none
set_ pools=agg-tp16
set_ pools=9x-agg-tp1
set_ pools=two
set_ engine.max_model_len=2000
set_ engine.num_gpu_blocks_override=20
say 3 "$TANDEM" run $s --set gpu=h100_sxm --set model=llama-3.3-70b
say 3 "$TANDEM" run $s --set model=deepseek-r1
say 3 "$TANDEM" run "$TMP/absent.json"
: > "$TMP/empty.json"; say 3 "$TANDEM" run "$TMP/empty.json"
head -c 100 $s > "$TMP/torn.json"; say 3 "$TANDEM" run "$TMP/torn.json"
echo '[1,2]' > "$TMP/list.json"; say 3 "$TANDEM" run "$TMP/list.json"
say 3 "$TANDEM" run $s --seed -1
say 2 "$TANDEM" run
say 2 "$TANDEM" run --jobs 0 $s
say 2 "$TANDEM" run --nonsense $s
say 2 "$TANDEM" show everything
say 3 "$TANDEM" phases $s
say 3 "$TANDEM" search $s
say 3 "$TANDEM" score "$TMP/absent.csv"
printf 'run_id,gpu\na,b\n' > "$TMP/short.csv"; say 3 "$TANDEM" score "$TMP/short.csv"
printf 'run_id,gpu,model\na,b\n' > "$TMP/cut.csv"; say 3 "$TANDEM" score "$TMP/cut.csv"
: > "$TMP/empty.csv"; say 3 "$TANDEM" score "$TMP/empty.csv"
printf 'arrival_s,isl,osl\n0,10,10\n1,-3,4\n' > "$TMP/t.csv"
printf '{"model": "gpt-oss-120b", "gpu": "mi300x", "pools": "agg-tp1", "load": {"arrival": {"kind": "trace", "file": "%s"}}}' "$TMP/t.csv" > "$TMP/t.json"
say 3 "$TANDEM" run "$TMP/t.json"
printf 'arrival_s,isl,osl\n' > "$TMP/t.csv"; say 3 "$TANDEM" run "$TMP/t.json"
printf 'arrival_s,isl,osl\n5,10,10\n1,3,4\n' > "$TMP/t.csv"; say 3 "$TANDEM" run "$TMP/t.json"
# a store from a newer schema, a store that is none, a full disk, a closed pipe
"$TANDEM" store list --store "$TMP/s.db" > /dev/null
python3 - "$TMP/s.db" <<'P' 2> /dev/null || { echo "no python3 to age the store"; }
import sqlite3, sys
c = sqlite3.connect(sys.argv[1]); c.execute("PRAGMA user_version = 99"); c.commit()
P
say 3 "$TANDEM" store list --store "$TMP/s.db"
echo 'not a database, but long enough to be taken for one at first sight' > "$TMP/n.db"
say 3 "$TANDEM" store list --store "$TMP/n.db"
say 5 "$TANDEM" run $s --set load.requests=40 --quiet --json /proc/nowhere/x.json
"$TANDEM" run $s --set load.requests=40 --quiet > /dev/full 2> "$TMP/err"
echo "full disk: exit $? $(cat "$TMP/err")"
TANDEM_DATA=/nowhere say 4 "$TANDEM" run $s
exit 0
