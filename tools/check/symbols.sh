#!/bin/bash
# Every symbol that a file shows carries the file's stem, stems are unique, and
# sim/ and calibrate/ keep no state outside their callers' memory.
# symbols.sh FOLDER: where the objects are, without sanitizers.
set -u
objects=$1
bad=0
find sim calibrate tools -name '*.c' -printf '%f %p\n' | sort \
    | awk '$1 == last { print $2 ": another file has this name: " other; bad = 1 }
           { last = $1; other = $2 }
           END { exit bad }' || bad=1

# objdump -t: value, seven flags (l or g first; O object, F function), section,
# size, name.
for c in sim/*/*.c calibrate/*/*.c tools/*.c; do
    [ -e "$c" ] || continue
    objdump -t "$objects/${c%.c}.o" | awk -v file="$c" -v stem="$(basename "$c" .c)" '
        NF < 5 || $NF == file { next }
        { flags = substr($0, 18, 7); split(substr($0, 26), f, /[ \t]+/) }
        f[1] ~ /^\*/ || flags !~ /[FO]/ { next }
        flags ~ /^[gu]/ && $NF != stem && index($NF, stem "_") != 1 \
            && !(file ~ /^tools\// && $NF == "main") {
            print file ": " $NF " does not begin with " stem "_"
            bad = 1
        }
        file !~ /^tools\// && flags ~ /O/ \
            && f[1] ~ /^\.(data|bss)/ && f[1] !~ /^\.data\.rel\.ro/ {
            print file ": " $NF " is state of the whole program"
            bad = 1
        }
        END { exit bad }' || bad=1
done
exit $bad
