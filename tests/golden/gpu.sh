# Calibrating without a GPU: what is absent; a device that is a law; a folder
# that is measured already.
say() { # expected exit, command...
    want=$1; shift
    "$@" > "$TMP/out" 2> "$TMP/err" < /dev/null
    got=$?
    sed "s#$TMP#TMP#g; s#$TANDEM_DATA/##g" "$TMP/err" "$TMP/out"
    [ "$got" = "$want" ] || echo "exit $got, not $want"
}
gpu="$TANDEM calibrate gpu"
null="$gpu --device null --models llama-3.1-8b --ops norm,copy --date 2000-01-01"

say 4 $gpu --device "$TMP/none.so"
say 2 $gpu --ops gem
say 3 $gpu --device null --models llama-3.1-8 --out "$TMP/a" --quiet
say 0 $null --quiet --out "$TMP/a"
say 0 $null --quiet --out "$TMP/a"
head -3 "$TMP/a/ops/norm.csv"
say 3 $null --quiet --gpu h200 --out "$TMP/a"
printf '{"device": "another"}' > "$TMP/a/system.json"
say 3 $null --quiet --out "$TMP/a"
