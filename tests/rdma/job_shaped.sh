# Links of known delay and rate: the law has to find both again.  A READ or
# WRITE takes the delay twice (its request or its acknowledgement goes back).
. ./lib.sh
cable 0
listen 7001 rxe1

number() { # key, direction: the value in the fit's JSON, one key a line
    awk -v key="\"$1\":" -v op="\"$2\":" '
        $1 == "\"read\":" || $1 == "\"write\":" { its = $1 }
        $1 == key { here = its == op }
        here && $1 == "\"value\":" { sub(/,/, "", $2); print $2; exit }
    ' /run/fit.json
}

# A fit's number against the truth, within a tenth.
near() { # what found truth
    awk -v w="$1" -v f="$2" -v t="$3" 'BEGIN {
        off = 100 * (f / t - 1)
        good = off > -10 && off < 10
        printf "%s %s: %.6g, configured %.6g, %+.1f %%\n",
            good ? "ok  " : "FAIL", w, f, t, off
        exit !good
    }' || : > /run/failed
}

setting() { # delay in ms, rate in Mbit/s
    echo "--- $1 ms each way, $2 Mbit/s, at $(up) s"
    shape delay ${1}ms rate ${2}mbit limit 20000
    wants 0 "WRITE batch" $T calibrate rdma --quiet --memory host \
        --device rxe0 --peer 10.77.0.2:7001 --csv /run/rows.csv --least 4k \
        --most 64k --batch 8 --queue-pairs 1 --seconds 0.05 \
        --skip qps,both,fan,rails
    cat /run/out
    wants 0 "^WRITE: " $T calibrate rdma --fit /run/rows.csv \
        --json /run/fit.json
    cat /run/out
    for op in read write; do
        near "$op delay ms" "$(number latency_s $op | awk '{ print $1 * 500 }')" $1
        near "$op rate Mbit/s" "$(number rail_Bps $op | awk '{ print $1 * 8e-6 }')" $2
    done
}
setting 8 40
setting 12 80
setting 25 20
verdict
