# The whole instrument once, small: absent devices, a ladder over two rails with
# two senders, its law and card, and every way to fail that a host can set up.
. ./lib.sh
echo "booted at $(up) s"
wants 4 "no RDMA device" $T calibrate rdma --list
cable 0
cable 1
echo "devices at $(up) s"
wants 0 "rxe3 .*ACTIVE" $T calibrate rdma --list

listen 7001 rxe1,rxe3
listen 7002 rxe1
wants 0 "WRITE rails" $T calibrate rdma --quiet --memory host \
    --device rxe0,rxe2 --peer 10.77.0.2:7001,10.77.0.2:7002 --csv /run/rows.csv \
    --least 4k --most 16k --batch 8 --queue-pairs 2 --seconds 0.005
cat /run/out
cat /run/rows.csv
echo "ladder at $(up) s"
wants 0 "^WRITE: " $T calibrate rdma --fit /run/rows.csv --card /run/card.json \
    --nics 2
cat /run/out
wants 0 '"calibrated":.true' cat /run/card.json

# A peer that dies on the way: said so, and the rows so far are kept.
listen 7003 rxe1
dying=$listener
(sleep 0.4 && kill -9 $dying) &
wants 4 "went away\|broke off\|no longer answers" $T calibrate rdma --quiet \
    --memory host --device rxe0 --peer 10.77.0.2:7003 --csv /run/torn.csv \
    --least 4k --most 4k --batch 8 --queue-pairs 1 --seconds 0.25
wants 0 "READ,lone" cat /run/torn.csv

ip link set veth1 mtu 1500
wants 3 "MTU mismatch" $T calibrate rdma --quiet --memory host --device rxe0 \
    --peer 10.77.0.2:7001 --least 4k --most 4k
wants 0 "WRITE qps" $T calibrate rdma --quiet --memory host --device rxe0 \
    --mtu 1024 --peer 10.77.0.2:7001 --least 4k --most 4k --batch 8 \
    --queue-pairs 1 --seconds 0.01
ip link set veth1 mtu 4500

# Without the right to lock memory: root's own is not limited.
chmod 666 /dev/infiniband/*
chmod 777 /run
wants 5 "RLIMIT_MEMLOCK is 64 KiB" su -s /bin/sh user -c "ulimit -l 64; \
    $T calibrate rdma --memory host \
    --device rxe0 --peer 10.77.0.2:7001 --least 4k --most 4m"

ip link set veth2 down
wants 4 "rxe2 is DOWN" $T calibrate rdma --device rxe2 --peer 10.77.0.2:7001
wants 4 "no RDMA port \"mlx5_0\"" $T calibrate rdma --device mlx5_0 --listen
wants 4 "Connection refused" $T calibrate rdma --device rxe0 \
    --peer 10.77.0.2:7009 --memory host --patience 0.2
verdict
