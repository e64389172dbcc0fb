# Two hosts on one Ethernet segment: a listens, b measures.  The whole ladder,
# short, and what it says is sane: more bytes take longer.
. ./lib.sh
me=1 peer=2
[ "$ROLE" = b ] && me=2 peer=1
ip link set eth0 mtu 4500 up
ip addr add 10.77.0.$me/24 dev eth0
rdma link add rxe0 type rxe netdev eth0 || exit 96
gid_of rxe0 || exit 95

if [ "$ROLE" = a ]; then
    wants 0 "10.77.0.2:[0-9]* done" $T calibrate rdma --listen --once \
        --memory host
    verdict
fi
n=0
until ping -c 1 -W 1 10.77.0.$peer > /dev/null 2>&1; do
    n=$((n + 1))
    [ $n -gt 60 ] && { echo "FAIL the peer never came up"; exit 1; }
done
wants 0 "WRITE both" $T calibrate rdma --quiet --memory host \
    --peer 10.77.0.$peer --csv /run/rows.csv --least 4k --most 64k --batch 8 \
    --queue-pairs 4 --seconds 0.1
cat /run/out
wants 0 "^READ: " $T calibrate rdma --fit /run/rows.csv --card /run/card.json \
    --json /run/fit.json
cat /run/out
wants 0 '"calibrated":.true' cat /run/card.json
# The least time of each: the emulator is in nobody's way then.
awk -F, '$3 == "lone" && $9 == 4096 { small[$2] = $12 }
    $3 == "lone" && $9 == 65536 { if ($12 < small[$2]) bad = 1; n++ }
    END { exit bad || n != 2 }' /run/rows.csv || {
    echo "FAIL a larger message is faster"
    : > /run/failed
}
verdict
