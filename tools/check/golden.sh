#!/bin/bash
# golden.sh TANDEM TEST.sh - runs a transcript of the real binary and compares
# its stdout with TEST.out; without such a file its exit status is the answer.
# The script runs in the root of the tree with TANDEM (the binary), TANDEM_DATA
# (the tree) and TMP (an empty folder, removed afterwards) set, and with a store
# cache of its own.  UPDATE=1 writes TEST.out instead.
set -u
want=${2%.sh}.out
TMP=$(mktemp -d)
trap 'rm -rf "$TMP" "$TMP.cache" "$TMP.out"' EXIT
export TANDEM=$1 TANDEM_DATA=$PWD TMP TMPDIR=$TMP
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$TMP.cache}
got=$TMP.out
bash "$2" > "$got"
status=$?
if [ "$status" != 0 ]; then
    cat "$got"
    exit $status
fi
if [ "${UPDATE:-0}" = 1 ]; then
    cp "$got" "$want"
elif [ -e "$want" ]; then
    diff -u --label "$want" --label "what it says" "$want" "$got"
fi
