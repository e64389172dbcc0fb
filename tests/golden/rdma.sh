# Both ends of `calibrate rdma` on rails that obey a stated law, the fit, and
# what is said where there is no hardware.
port=$((20000 + $$ % 20000))
"$TANDEM" calibrate rdma --rail null --listen --once --quiet --port $port \
    --bind 127.0.0.1 &
"$TANDEM" calibrate rdma --rail null --peer 127.0.0.1:$port --quiet \
    --csv "$TMP/rows.csv" --least 4k --most 4m --queue-pairs 4 --batch 64 \
    --seconds 0.002 --seed 5 | cut -c 1-57
wait
"$TANDEM" calibrate rdma --fit "$TMP/rows.csv" --card "$TMP/wire.json" \
    | grep -v 'latency\|processor time'
grep -c '"measured: ' "$TMP/wire.json"
"$TANDEM" calibrate 2>&1
echo "exit $?"
"$TANDEM" calibrate rdma 2>&1 | head -1
"$TANDEM" calibrate rdma --listen --fit x 2>&1 | head -1
"$TANDEM" calibrate rdma --peer localhost --most 3q 2>&1 | head -1
"$TANDEM" calibrate rdma --rail null --peer 127.0.0.1:1 --patience 0.1 2>&1
echo "exit $?"
"$TANDEM" calibrate rdma --fit "$TMP/none.csv" 2>&1 | sed "s|$TMP|TMP|"
