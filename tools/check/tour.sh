#!/bin/bash
# Each path that a README names is there.  A path begins with one of the fixed
# folders, or is the target of a link; * and {a,b} are the shell's; a part in
# capitals (NAME, X.json) stands for any name and is not looked up.
set -u
shopt -s nullglob
bad=0

look() { # readme line path
    local p=${3%%[.,:;]} found
    case "$p" in *[!A-Za-z0-9_./*{},-]*) return ;; esac
    [[ $p =~ (^|/)[A-Z][A-Z0-9_]*(\.[a-z]+)?(/|$) && ! $p =~ (README|Makefile) ]] \
        && return
    eval "found=($p)" # letters, digits and _ . / * { } , - only
    for f in "${found[@]}"; do
        [ -e "$f" ] && return
    done
    echo "$1:$2: $3 is not there"
    bad=1
}

while read -r readme; do
    here=$(dirname "$readme")
    while IFS=: read -r n p; do
        look "$readme" "$n" "$p"
    done < <(sed 's/[a-z+]*:\/\/[^ )>]*//g' "$readme" | grep -noP \
        '(?<![\w./-])(sim|calibrate|kernels|models|scenarios|results|tests|tools)/[\w./*{},-]*')
    while IFS=: read -r n p; do
        p=${p#](}
        case "$p" in *://* | \#* | mailto:* | "") continue ;; esac
        [ -e "$here/${p%%#*}" ] || { echo "$readme:$n: $p is not there"; bad=1; }
    done < <(grep -noP '\]\([^) ]*' "$readme")
done < <(find . -name README.md -not -path './build/*' -not -path './.git/*' \
    -printf '%P\n' | sort)
exit $bad
