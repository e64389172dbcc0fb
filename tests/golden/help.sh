# The front door: help, version, unknown commands.
"$TANDEM" --help
for c in run sweep search phases score report show store fit bench; do
    "$TANDEM" $c --help > "$TMP/help" || exit 1
    grep -q "^Usage: tandem $c" "$TMP/help" || { echo "$c: no usage"; exit 1; }
done
"$TANDEM" swep 2>&1
echo "exit $?"
"$TANDEM" 2>&1 | head -1
