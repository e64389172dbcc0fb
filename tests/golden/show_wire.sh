# Where KV transfers wait: two decode ranks read from one prefill GPU, inside a
# node and across nodes.  Figures move with the fits; what holds does not.
bench=scenarios/bench
"$TANDEM" show wire $bench/2p-tp1-1d-tp2-c64.json --set load.requests=1000 \
    | sed 's/[0-9][0-9.]*/N/g; s/  */ /g'
"$TANDEM" show wire $bench/2p-tp1-1d-tp2-c64.json --set load.requests=1000 \
    --json - | tr -d '\t' | grep -c '"waited_s":0,'
"$TANDEM" show wire $bench/8p-tp1-4d-tp2-poisson40.json \
    --set load.requests=2000 | awk '$1 == "NIC" || $1 == "GPU" {
        print $1, $2, ($3 > 0 ? "waited" : "did not") }'
"$TANDEM" show wire $bench/agg-tp1-c4.json --set load.requests=100 | tail -1
"$TANDEM" show wire none.json 2>&1
echo "exit $?"
