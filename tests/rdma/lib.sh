# What the jobs share; sourced in the guest by its busybox shell.

# busybox's own applets come first, whatever PATH says.
ip() { /usr/bin/ip "$@"; }
tc() { /usr/bin/tc "$@"; }
rdma() { /usr/bin/rdma "$@"; }
T=/job/tandem

up() { cut -d ' ' -f 1 /proc/uptime; }

# Two software devices of one guest and a cable between them.  This kernel's rxe
# opens its UDP sockets in the first network namespace only, so both ends live
# there; its routes name the device, which keeps packets on the cable, and
# accept_local lets them in at the other end.
cable() { # N: rxe 2N on veth 2N, rxe 2N+1 on veth 2N+1
    a=$((2 * $1)) b=$((2 * $1 + 1))
    ip link add veth$a type veth peer name veth$b
    for d in all veth$a veth$b; do
        echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter
        echo 1 > /proc/sys/net/ipv4/conf/$d/accept_local
    done
    for d in $a $b; do ip link set veth$d mtu 4500 up; done
    ip addr add 10.77.$1.1/24 dev veth$a
    ip addr add 10.77.$1.2/24 dev veth$b
    ip neigh replace 10.77.$1.2 nud permanent dev veth$a \
        lladdr "$(cat /sys/class/net/veth$b/address)"
    ip neigh replace 10.77.$1.1 nud permanent dev veth$b \
        lladdr "$(cat /sys/class/net/veth$a/address)"
    for d in $a $b; do
        rdma link add rxe$d type rxe netdev veth$d || exit 96
    done
    for d in $a $b; do gid_of rxe$d || exit 95; done
}

# Waits for the IPv4 address entry of a device.
gid_of() { # device
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        grep -qi '0000:ffff:' /sys/class/infiniband/$1/ports/1/gids/* \
            2> /dev/null && return
        usleep 100000
    done
    echo "FAIL no IPv4 entry of $1"
    return 1
}

# Known delay and rate, both ways of the first cable.
shape() { # arguments of netem
    for d in veth0 veth1; do tc qdisc replace dev $d root netem "$@"; done
}

# The same, but packets without payload (requests, acknowledgements) do not
# stand behind the other direction's bytes: adapters schedule packet by packet.
share() { # arguments of netem
    for d in veth0 veth1; do
        tc qdisc replace dev $d root handle 1: prio bands 2 \
            priomap 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
        tc filter add dev $d parent 1: protocol ip u32 \
            match u16 0x0000 0xff00 at 2 flowid 1:1
        tc qdisc add dev $d parent 1:2 netem "$@"
    done
}

listen() { # port device...; its process is left in $listener
    "$T" calibrate rdma --listen --quiet --memory host --port "$1" \
        --device "$2" > /run/listen-$1.log 2>&1 &
    listener=$!
}

# Runs a command; its status and words have to be these.
wants() { # status pattern command...
    want=$1 pattern=$2
    shift 2
    "$@" > /run/out 2>&1
    got=$?
    if [ $got = "$want" ] && grep -q -- "$pattern" /run/out; then
        echo "ok   $(up) s: $(grep -- "$pattern" /run/out | head -n 1)"
        return
    fi
    echo "FAIL exit $got, wanted $want and \"$pattern\": $*"
    cat /run/out
    : > /run/failed
}

# Ends with the verdict on all of it; a file, since parts run in pipes.
verdict() {
    [ -e /run/failed ] && exit 1
    echo "passed at $(up) s"
    exit 0
}
