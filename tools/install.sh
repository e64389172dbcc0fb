#!/bin/sh
# install.sh run|check|man - installs the Debian or Ubuntu packages that a make
# target needs and that are not there yet.  As root or through a sudo that asks
# for nothing; otherwise prints the one line to run and exits 4.
set -eu

# Debian 12 and Ubuntu 24.04 know all of these by the same name.
run="make gcc libc6-dev pkg-config libgsl-dev libsqlite3-dev libcjson-dev
 libcsv-dev librandom123-dev zlib1g-dev"
man="help2man"
check="$run $man binutils clang-14 clang-format-14 clang-tidy-14
 libcmocka-dev universal-ctags"

# The RDMA guest of tests/rdma; without them its test is skipped.
rdma="libibverbs-dev ibverbs-providers iproute2 qemu-system-x86 seabios
 busybox-static cpio kmod xz-utils"

extra=
case "${1:-}" in
run) want=$run ;;
check)
    want=$check
    extra=$rdma
    ;;
man) want=$man ;;
*)
    echo "usage: tools/install.sh run|check|man" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
    echo "install: no apt here; these Debian packages, or their like, are" \
        "taken to be present:" $want >&2
    exit 0
fi

is_there() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

missing=
for p in $want; do
    is_there "$p" || missing="$missing $p"
done
spare=
for p in $extra; do
    is_there "$p" || spare="$spare $p"
done
[ -n "$missing$spare" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
        root="sudo -n"
    else
        echo "install: packages are missing; as root, run this line:" >&2
        echo "apt-get update && apt-get install -y --no-install-recommends$missing$spare"
        [ -n "$missing" ] || exit 0
        exit 4
    fi
fi

# A machine that has just been started may still be at its own updates.
apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" < /dev/null
}
echo "install: missing:$missing$spare" >&2
echo "install: reading the package lists" >&2
apt update >&2 || echo "install: apt-get update failed, going on" >&2
echo "install: installing" >&2
if [ -n "$missing" ] \
    && ! apt install -y --no-install-recommends $missing >&2; then
    echo "install: apt-get could not install:$missing" >&2
    exit 4
fi
if [ -n "$spare" ] && ! apt install -y --no-install-recommends $spare >&2; then
    echo "install: going on without:$spare" >&2
fi
echo "install: done" >&2
