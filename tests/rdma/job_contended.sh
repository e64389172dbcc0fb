# Transfers that share a link of known rate: the wire model, with a card fitted
# to transfers alone, has to say when each of them ends.
. ./lib.sh
cable 0
listen 7001 rxe1
share delay 1ms rate 40mbit limit 20000
wants 0 "WRITE batch" $T calibrate rdma --quiet --memory host --device rxe0 \
    --peer 10.77.0.2:7001 --csv /run/rows.csv --least 4k --most 256k --batch 8 \
    --queue-pairs 1 --seconds 0.05 --skip qps,both,fan,rails
wants 0 "^WRITE: " $T calibrate rdma --fit /run/rows.csv --card /run/card.json
cat /run/out
echo "card at $(up) s"

play() { # NAME; the plan comes in, without its head
    { echo "transfer,op,start_ms,bytes,message_bytes"; cat; } > /run/$1.csv
    wants 0 "^transfer" $T calibrate rdma --quiet --memory host \
        --device rxe0 --peer 10.77.0.2:7001 --contend /run/$1.csv --runs 3 \
        --depth ${DEPTH:-2} --csv /run/$1.runs.csv
    wants 0 "^transfer" $T calibrate rdma --replay /run/$1.runs.csv \
        --card /run/card.json
    cat /run/out
    echo "$1 at $(up) s"
}
K=1024
# Queues of this link are first come, first served: shares are equal when few
# messages of each transfer stand in them.
S=$((16 * K))
for op in WRITE READ; do
    for i in 1 2; do echo "$i,$op,0,$((512 * K)),$S"; done | play two-$op
    for i in 1 2 3 4; do echo "$i,$op,0,$((256 * i * K)),$S"; done | play four-$op
    for i in 1 2 3 4 5 6 7 8; do echo "$i,$op,0,$((512 * K)),$S"; done \
        | play eight-$op
    for i in 0 1 2 3 4 5 6 7; do
        echo "$i,$op,$((70 * i)),$(((256 + 128 * (i % 3)) * K)),$S"
    done | play staggered-$op
done
# The two directions do not share; turning round takes longer with both busy.
DEPTH=4
for i in 1 2 3 4; do
    op=WRITE
    [ $((i % 2)) = 0 ] && op=READ
    echo "$i,$op,$((40 * i)),$((512 * K)),$S"
done | play both
verdict
