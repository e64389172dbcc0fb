# README's transcript is what the program says.  UPDATE=1 (make golden) writes
# the program's words into README instead.
set -u
awk -v q="'" '/^```console$/ { on = 1; next } /^```$/ { on = 0 } on' README.md > "$TMP/want"
grep '^\$ ' "$TMP/want" | sed 's/^\$ //' > "$TMP/commands"
while IFS= read -r c; do
    echo "\$ $c"
    bash -c "${c//build\/tandem/$TANDEM}" 2>&1
done < "$TMP/commands" > "$TMP/got"
if [ "${UPDATE:-0}" = 1 ]; then
    awk -v got="$TMP/got" '/^```console$/ { print; while ((getline l < got) > 0) print l; skip = 1; next }
        /^```$/ { skip = 0 } !skip' README.md > "$TMP/new" && cp "$TMP/new" README.md
else
    diff -u --label README.md "$TMP/want" --label "what it says" "$TMP/got" || exit 1
fi
echo "README's transcript is true"
