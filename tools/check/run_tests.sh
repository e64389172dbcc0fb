#!/bin/bash
# run_tests.sh [GROUP...] - runs what `make check` runs: gates, unit, law,
# golden, schedule, fuzz, hw, accuracy; asan = unit, law and golden under
# address and undefined-behaviour sanitizers, tsan likewise for threads; build
# alone = everything compiles by gcc and by clang.  Without a group: all but
# tsan.
# A test passes with exit status 0, is skipped with 77 and a last line that says
# why, and fails otherwise, also when its time is over.  Each test's output is
# kept in build/check/NAME.log.  JOBS tests run at a time.  TESTS=pattern keeps
# the tests whose name matches that shell pattern.
# The last line is `N passed, N failed, N skipped`.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 5
unset MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C.UTF-8
jobs=${JOBS:-$(nproc)}
logs=build/check
groups=" ${*:-build gates unit law golden schedule fuzz hw accuracy asan} "
only=${TESTS:-*}
# Recorded schedules of the real scheduler; too large to live here.
golden_dir=${GOLDEN_DIR:-../shared/data/golden}
rm -rf "$logs"
mkdir -p "$logs"
tally=$logs/.tally
: > "$tally"
started=$(date +%s%N)

wants() { [[ $groups == *" $1 "* ]]; }

# The reason of a skip: the last line that says so, else the last line.
reason() {
    local r
    r=$(grep -aiE '^ *skip' "$1" | tail -n 1)
    [ -n "$r" ] || r=$(grep -av '^ *$' "$1" | tail -n 1)
    sed -E 's/^ *[Ss][Kk][Ii][Pp](ped)?( [^ :]+)?: *//' <<< "$r"
}

verdict() { # name log status seconds
    local name=$1 log=$2 status=$3 why
    if [ "$status" = 77 ]; then
        why=$(reason "$log")
        if [ -n "$why" ]; then
            echo "skip $name: $why"
            echo skip >> "$tally"
            return
        fi
        status="77 without a reason"
    fi
    if [ "$status" = 0 ]; then
        echo "ok   $name ($4 s)"
        echo pass >> "$tally"
        return
    fi
    [ "$status" = 124 ] && status="124: its time was over"
    # One write, so that two failures do not mix.
    echo "FAIL $name: exit status $status
$(tail -n 40 "$log" | sed 's/^/    /')"
    echo fail >> "$tally"
}

one() { # name seconds command...
    local name=$1 limit=$2 log=$logs/${1//\//.}.log from to status
    shift 2
    from=$(date +%s%N)
    timeout -k 5 "$limit" "$@" > "$log" 2>&1 < /dev/null
    status=$?
    to=$(date +%s%N)
    verdict "$name" "$log" "$status" \
        "$(awk -v t=$((to - from)) 'BEGIN { printf "%.1f", t / 1e9 }')"
}

running=0
start() { # name seconds command...
    # shellcheck disable=SC2053
    [[ $1 == $only ]] || return
    while [ "$running" -ge "$jobs" ]; do
        wait -n
        running=$((running - 1))
    done
    one "$@" 2> /dev/null & # the shell tells of signals, too
    running=$((running + 1))
}

barrier() {
    wait
    running=0
}

# A build uses all cores, so it runs alone; what it fails to make fails the
# tests that need it, too.
build() { # flavour target...
    barrier
    one "build/$1" 900 make -s -k -j"$jobs" FLAVOUR="$1" "${@:2}"
    barrier
}

out() { # folder of a flavour's programs
    [ "$1" = gcc ] && echo build || echo "build/$1"
}

# The Makefile's name of a test program.
program() { # file
    local name dir taken
    name=$(basename "$1" .c)
    dir=$(basename "$(dirname "$1")")
    taken=(tests/unit/*/"$name".c tests/"$name".c)
    case "$1" in tests/unit/*) taken=() ;; esac
    for f in "${taken[@]}"; do
        [ -e "$f" ] && name=${dir}_$name && break
    done
    echo "$name"
}

programs() { # group flavour seconds file...
    local group=$1 dir limit=$3 tag='' f name
    dir=$(out "$2")
    [ "$2" = gcc ] || tag=/$2
    for f in "${@:4}"; do
        name=$(basename "$f" .c)
        start "$group/$name$tag" "$limit" "$dir/test/$(program "$f")"
    done
}

goldens() { # flavour seconds
    local tag='' f
    [ "$1" = gcc ] || tag=/$1
    for f in tests/golden/*.sh; do
        start "golden/$(basename "$f" .sh)$tag" "$2" \
            tools/check/golden.sh "$(out "$1")/tandem" "$f"
    done
}

schedules() {
    local f name
    if [ ! -d "$golden_dir" ]; then
        start schedule 10 bash -c 'echo "$1"; exit 77' skip \
            "no recorded schedules: GOLDEN_DIR is not set to a folder of them"
        return
    fi
    if [ ! -x build/test/golden_schedule ]; then
        start schedule 10 bash -c 'echo "$1"; exit 1' fail \
            "there is no build/test/golden_schedule"
        return
    fi
    for f in "$golden_dir"/*.jsonl*; do
        name=$(basename "$f" .gz)
        start "schedule/$(basename "$name" .jsonl)" 120 \
            build/test/golden_schedule "$f"
    done
}

fuzzes() {
    local f name
    for f in tests/fuzz/*.c; do
        name=$(basename "$f" .c)
        start "fuzz/$name" 60 build/asan/test/"$(program "$f")" \
            tests/fuzz/seeds/"$name"/*
    done
}

gates() {
    local checks=tools/check
    start gate/floors 60 bash -c 'find sim calibrate tools tests -name "*.[ch]" \
        | xargs awk -f tools/check/floors.awk tools/check/floors.txt'
    start gate/tour 60 $checks/tour.sh
    start gate/shape 60 $checks/shape.sh
    start gate/format 120 make -s format-check
    start gate/tidy 300 make -s -k -j"$jobs" tidy
    start gate/headers 120 make -s headers
    start gate/symbols 120 make -s symbols
    start gate/man 60 $checks/man.sh
}

sanitized() { # flavour
    build "$1" tandem tests
    programs unit "$1" 180 "${units[@]}"
    programs law "$1" 300 "${laws[@]}"
    goldens "$1" 300
}

# Not the user's: what a test finds cached, this run has made.
export XDG_CACHE_HOME=$PWD/$logs/cache
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
shopt -s nullglob
units=(tests/unit/*/*.c)
laws=(tests/law/*.c)

build gcc tandem tests
wants gates && gates
wants unit && programs unit gcc 60 "${units[@]}"
wants golden && goldens gcc 120
wants law && programs law gcc 120 "${laws[@]}"
wants schedule && schedules
wants hw && programs hw gcc 300 tests/hw/*.c
wants hw && start hw/rdma 300 tests/rdma/check.sh quick
wants accuracy && programs accuracy gcc 300 tests/accuracy/*.c
wants build && build clang tandem tests
wants asan && sanitized asan
wants fuzz && { wants asan || build asan tests; fuzzes; }
wants tsan && sanitized tsan
barrier

count() { grep -c "^$1\$" "$tally"; }
failed=$(count fail)
echo "$((($(date +%s%N) - started) / 1000000000)) s; logs in $logs"
echo "$(count pass) passed, $failed failed, $(count skip) skipped"
[ "$failed" = 0 ]
