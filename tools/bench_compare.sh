#!/bin/bash
# bench_compare.sh BASE - `tandem bench` of this tree against commit BASE, which
# is built in a work tree of its own under build/.  The two run in turn, case by
# case; the ratio is of requests per yardstick (tools/cmd_bench.c), so that a
# machine that is busy with other things moves it little.
set -eu
base=$1
tree=build/base
cases="agg-tp1-c4 agg-tp1-c64 agg-tp1-c512 2p-tp1-1d-tp2-c64
       8p-tp1-4d-tp2-poisson40 16x-agg-tp1-poisson mooncake-prefix"
rounds=3

git rev-parse -q --verify "$base^{commit}" > /dev/null \
    || { echo "bench-compare: no commit $base" >&2; exit 3; }
git worktree prune
if [ -e $tree/.git ]; then
    git -C $tree checkout -q --detach -f "$base"
else
    git worktree add -q -f --detach $tree "$base"
fi
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C $tree build/tandem >&2

# requests per CPU second and per million yardstick steps
once() { # tree, case
    (cd "$1" && TANDEM_DATA=$PWD build/tandem bench --quiet "$2") \
        | awk '/"replay"/ {
            match($0, /requests_per_cpu_s": [0-9.]+/)
            r = substr($0, RSTART + 21, RLENGTH - 21)
            match($0, /yardstick_ns": [0-9.]+/)
            print r, r * substr($0, RSTART + 15, RLENGTH - 15) * 1e-3 }'
}
best() { sort -k2 -n | tail -1; }

echo "case $base here ratio" \
    | awk '{ printf "%-24s %12s %12s %8s\n", $1, $2 "/s", $3 "/s", $4 }'
for c in $cases; do
    old='' new=''
    for _ in $(seq $rounds); do
        old="$old$(once $tree "$c")
"
        new="$new$(once . "$c")
"
    done
    echo "$c $(printf '%s' "$old" | best) $(printf '%s' "$new" | best)"
done | awk '
    { printf "%-24s %12.0f %12.0f %8.2f\n", $1, $2, $4, $5 / $3
      sum += log($5 / $3); n++ }
    END { printf "%-24s %12s %12s %8.2f\n", "geometric mean", "", "", exp(sum / n) }'
