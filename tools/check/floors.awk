# Who may include whom.  awk -f floors.awk floors.txt FILE...
# Includes are written from the root, so each line shows its floor; what is
# generated lies in gen/ and may come from anywhere.
function room(path) {
    sub(/\/[^\/]*$/, "", path)
    if (path ~ /^tests\/unit\//)
        path = "tests/unit"
    return path
}
FILENAME ~ /floors\.txt$/ {
    if (NF && $1 !~ /^#/) {
        known[$1] = ok[$1, $1] = 1
        for (i = 2; i <= NF; i++)
            ok[$1, $i] = 1
    }
    next
}
FNR == 1 {
    from = room(FILENAME)
    if (!(from in known)) {
        printf "%s: the room %s is not in floors.txt\n", FILENAME, from
        bad = 1
    }
}
/^#[ \t]*include[ \t]+"/ {
    split($0, q, "\"")
    to = q[2] ~ /\// ? room(q[2]) : "a file beside it"
    if (to == "gen")
        next
    if (from ~ /^(sim|calibrate)\// && to ~ /^(tools|tests)/)
        bad = 1
    else if ((from, to) in ok || (from, "*") in ok)
        next
    printf "%s:%d: %s may not include %s\n", FILENAME, FNR, from, to
    bad = 1
}
END { exit bad }
