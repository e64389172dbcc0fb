#!/bin/bash
# Files of at most 600 lines of 80 columns; functions of at most 60 lines and 6
# parameters (tests may hand on more), three blocks deep; no notes to ourselves.
set -u
bad=0
mapfile -t files < <(find sim calibrate tools tests -name '*.[ch]' | sort)

# The file is formatted, so a block's depth is its indent: four columns each,
# of which the function's body is the first.
awk '
FNR > 600 && !long[FILENAME]++ { print FILENAME ": more than 600 lines"; bad = 1 }
length($0) > 80 {
    print FILENAME ":" FNR ": " length($0) " columns"
    bad = 1
}
/\t| $/ { print FILENAME ":" FNR ": a tab, or a space at the end"; bad = 1 }
/TODO|FIXME/ {
    print FILENAME ":" FNR ": a note to ourselves"
    bad = 1
}
/^ *(\} else )?(if|for|while|switch) \(/ || /^ *(do|else|\} else)( \{)?$/ {
    deep = $0 ~ /^                 *[^ ]/
    from = FNR
}
deep && /\{$/ {
    print FILENAME ":" from ": more than three blocks deep"
    bad = 1
}
/[{;]$/ { deep = 0 }
END { exit bad }' "${files[@]}" || bad=1

ctags -o - --sort=no --languages=C --langmap=C:.c.h --kinds-C=f \
    --fields=+neS "${files[@]}" | awk -F'\t' '
{
    line = end = 0
    args = ""
    for (i = 4; i <= NF; i++) {
        if ($i ~ /^line:/) line = substr($i, 6)
        if ($i ~ /^end:/) end = substr($i, 5)
        if ($i ~ /^signature:/) args = substr($i, 11)
    }
    n++
    if (end - line + 1 > 60) {
        print $2 ":" line ": " $1 " has " end - line + 1 " lines, 60 at most"
        bad = 1
    }
    # A function pointer brings commas of its own: look past inner brackets.
    sub(/^\(/, "", args); sub(/\)$/, "", args)
    while (sub(/\([^()]*\)/, "", args));
    if ($2 !~ /^tests\// && split(args, a, ",") > 6) {
        print $2 ":" line ": " $1 " has more than 6 parameters"
        bad = 1
    }
}
END { if (!n) { print "ctags found no function"; bad = 1 }; exit bad }' || bad=1
exit $bad
