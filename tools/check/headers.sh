#!/bin/bash
# Every header compiles alone, by both compilers.  headers.sh COMPILER...
# CPPFLAGS and WARN come from the Makefile.  A *_list.h is rows for a macro of
# whoever includes it; tools/hip is included before HIP's own headers.
set -u
bad=0
while read -r h; do
    for cc in "$@"; do
        # A header of tests may hold functions that only some tests use.
        $cc -fsyntax-only $CPPFLAGS $WARN -Wno-unused-function \
            -include "$h" -x c /dev/null || { bad=1; echo "$h: not by $cc"; }
    done
done < <(find sim calibrate tools tests -name '*.h' -not -name '*_list.h' \
    -not -path 'tools/hip/*' | sort)
exit $bad
