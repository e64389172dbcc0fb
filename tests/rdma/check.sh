#!/bin/bash
# RDMA for real, in a guest (guest.sh).  check.sh quick: the instrument once,
# small, and every way to fail that a host can set up; seconds.  check.sh slow:
# two guests, links of known delay and rate, transfers that share one.
# Ends with 77 and a reason where this machine cannot run a guest.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${WORK:-$here/../../build/rdma}
bad=0

job() { # mode name
    local status started=$SECONDS log
    "$here/guest.sh" run "$1" "$here/job_$2.sh"
    status=$?
    [ "$status" = 77 ] && exit 77
    for log in "$work/job_$2"-?.log; do
        tr -d '\r' < "$log" | grep -aE "^(ok  |FAIL|---|passed)" | cut -c 1-160
    done
    if [ "$status" != 0 ]; then
        echo "FAIL $2: exit status $status"
        for log in "$work/job_$2"-?.log "$work/job_$2"-?.console; do
            echo "$log:"
            tail -n 40 "$log"
        done
        bad=1
    fi
    echo "$2: $((SECONDS - started)) s"
}

case ${1:-} in
quick) LIMIT=${LIMIT:-100} job veth quick ;;
slow)
    job pair pair
    job veth shaped
    job veth contended
    ;;
*)
    echo "usage: check.sh quick|slow" >&2
    exit 2
    ;;
esac
exit $bad
