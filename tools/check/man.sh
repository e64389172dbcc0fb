#!/bin/bash
# The man page is made from --help, and names every command there is.
set -u
make -s build/tandem.1 || exit 1
bad=0
for c in tools/cmd_*.c; do
    name=$(basename "$c" .c)
    name=${name#cmd_}
    grep -qw -- "$name" build/tandem.1 || { bad=1; echo "$name is not in the man page"; }
done
exit $bad
