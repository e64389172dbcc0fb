#!/bin/bash
# Runs a job beside the real program in a guest with software RDMA: Debian's own
# kernel, which has rdma_rxe, under qemu's emulation.  No KVM, no root, no device.
#   guest.sh setup          kernel, modules and tools into an initramfs
#   guest.sh run MODE JOB   MODE veth: one guest, two cables, both ends in it;
#                           pair: two guests on one Ethernet segment.
#                           JOB is a script of this folder; what it prints is
#                           in $WORK/JOB-a.log (and -b.log)
# Environment: WORK (build/rdma), LIMIT seconds of a run (120), PROGRAM
# (build/tandem).
# Exit status: the job's own (pair: the first that is not 0), 124 when its time
# is over, 77 with a line that says why when this machine cannot run a guest.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
work=${WORK:-$top/build/rdma}
limit=${LIMIT:-120}
program=${PROGRAM:-$top/build/tandem}
export PATH=$PATH:/usr/sbin:/sbin

programs="ip rdma tc"
modules="virtio_pci virtio_net veth crc32_generic rdma_rxe sch_netem
    sch_prio cls_u32"
# Quiet and quick to boot; `quiet` aside, each saves emulated time.
cmdline="console=ttyS0 quiet panic=-1 mitigations=off nokaslr audit=0
    selinux=0 apparmor=0 net.ifnames=0 random.trust_cpu=on cryptomgr.notests
    no_timer_check tsc=reliable nowatchdog rcupdate.rcu_expedited=1"

skip() {
    echo "skip: $*"
    exit 77
}

die() {
    echo "guest: $*" >&2
    exit 5
}

needs() {
    local p
    for p in qemu-system-x86_64 busybox cpio modprobe depmod xz dpkg-deb \
        $programs; do
        command -v "$p" > /dev/null || skip "no $p: tools/install.sh check"
    done
    [ -e "$(provider)" ] || skip "no ibverbs-providers: tools/install.sh check"
    [ -x "$program" ] || die "no $program"
    case "$(ldd "$program")" in
    *libibverbs*) ;;
    *) skip "the program was built without libibverbs" ;;
    esac
}

provider() {
    ls /usr/lib/*/libibverbs/librxe-rdmav*.so 2> /dev/null | head -n 1
}

# The package of the newest ordinary kernel; the cloud kernels lack rdma_rxe.
kernel_package() {
    apt-cache depends linux-image-amd64 2> /dev/null \
        | awk '/Depends: linux-image-[0-9]/ { print $2; exit }'
}

fetch_kernel() {
    local package
    package=$(kernel_package)
    [ -n "$package" ] \
        || skip "apt knows no linux-image-amd64 (Debian's kernel)"
    rm -rf "$work/fetch" "$work/root"
    mkdir -p "$work/fetch"
    (cd "$work/fetch" \
        && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$package") \
        > "$work/fetch.log" 2>&1 || skip "cannot download $package"
    dpkg-deb -x "$work"/fetch/*.deb "$work/root" || die "cannot unpack $package"
    rm -rf "$work/fetch"
    depmod -b "$work/root" "${package#linux-image-}"
    unpack "${package#linux-image-}"
    echo "${package#linux-image-}" > "$work/release"
}

# Emulated, a compressed kernel spends half of its boot unpacking itself: the
# ELF image in it is unpacked here, once.  Where that fails it stays in use.
unpack() { # release
    local z=$work/root/boot/vmlinuz-$1 at
    ln -sfn "$z" "$work/kernel"
    at=$(LC_ALL=C grep -aboP '\xFD7zXZ\x00' "$z" | head -n 1 | cut -d: -f1)
    [ -n "$at" ] || return 0
    tail -c "+$((at + 1))" "$z" | xz -dc --single-stream \
        > "$work/vmlinux" 2> /dev/null
    [ "$(head -c 4 "$work/vmlinux" | tail -c 3)" = ELF ] \
        && ln -sfn "$work/vmlinux" "$work/kernel"
    return 0
}

# A file, and the libraries it is linked to, into a root.
put() { # root folder file
    local so
    mkdir -p "$1/$2"
    cp -L "$3" "$1/$2/"
    ldd "$3" 2> /dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }
        $1 ~ /^\// { print $1 }' | while read -r so; do
        mkdir -p "$1$(dirname "$so")"
        [ -e "$1$so" ] || cp -L "$so" "$1$so"
    done
}

pack() { # folder
    (cd "$1" && find . -print0 | LC_ALL=C sort -z \
        | cpio --null -o -H newc --quiet -R 0:0)
}

make_base() {
    local r=$work/base release ko p
    release=$(cat "$work/release")
    rm -rf "$r"
    mkdir -p "$r"/{bin,sbin,dev,proc,sys,tmp,run,job,modules} \
        "$r/etc/libibverbs.d"
    cp "$(command -v busybox)" "$r/bin/busybox"
    for p in $modules; do
        modprobe -d "$work/root" -S "$release" --show-depends "$p" \
            || die "no module $p in $release"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$work/order"
    while read -r ko; do
        cp "$ko" "$r/modules/"
        basename "$ko" >> "$r/modules/order"
    done < "$work/order"
    for p in $programs; do put "$r" usr/bin "$(command -v "$p")"; done
    p=$(provider)
    put "$r" "$(dirname "$p")" "$p"
    cp /etc/libibverbs.d/rxe.driver "$r/etc/libibverbs.d/"
    printf 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n' \
        > "$r/etc/passwd"
    pack "$r" > "$work/base.cpio.new" && mv "$work/base.cpio.new" "$work/base.cpio"
}

setup() {
    needs
    mkdir -p "$work"
    [ -e "$work/release" ] || fetch_kernel
    [ "$work/base.cpio" -nt "$here/guest.sh" ] || make_base
}

# One guest in the background; its process is left in $guest.  A guest alone has
# a clock that counts instructions, one a nanosecond, and skips idle time: what
# it measures does not depend on what else this machine does.  Two guests that
# talk need the world's clock.
start() { # mode role folder log
    local peer=b net=() address=01 clock=(-icount shift=0,sleep=off)
    [ "$2" = b ] && peer=a address=02
    [ "$1" = pair ] && clock=()
    [ "$1" = pair ] && net=(
        -netdev "dgram,id=n0,local.type=unix,local.path=$3/$2.sock,remote.type=unix,remote.path=$3/$peer.sock"
        -device "virtio-net-pci,netdev=n0,mac=52:54:00:77:00:$address,host_mtu=4500,romfile=")
    timeout -k 5 "$limit" qemu-system-x86_64 -accel tcg "${clock[@]}" -M pc -cpu max -smp 1 \
        -m 384 -nodefaults -no-user-config -no-reboot -display none \
        -monitor none -kernel "$work/kernel" -initrd "$3/initrd" \
        -append "$(echo $cmdline) job.mode=$1 job.role=$2" \
        -serial "file:$4-$2.console" -serial "file:$4-$2.log" \
        "${net[@]}" > "$4-$2.qemu" 2>&1 &
    guest=$!
}

run() { # mode job
    local roles=a r q rc=0 code log
    setup
    [ "$1" = pair ] && roles="a b"
    log=$work/$(basename "$2" .sh)
    folder=$(mktemp -d "$work/run.XXXXXX") || die "no folder in $work"
    pids=()
    trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2> /dev/null
        rm -rf "$folder"' EXIT
    mkdir -p "$folder/root/job/data/models/gpu"
    cp "$here/init" "$folder/root/"
    chmod 755 "$folder/root/init"
    cp "$2" "$folder/root/job/job.sh"
    cp "$here/lib.sh" "$folder/root/job/"
    cp -r "$top/models/wire" "$folder/root/job/data/models/"
    put "$folder/root" job "$program"
    { cat "$work/base.cpio" && pack "$folder/root"; } > "$folder/initrd"
    rm -f "$log"-?.log "$log"-?.console
    for r in $roles; do
        start "$1" "$r" "$folder" "$log"
        pids+=("$guest")
    done
    for q in "${pids[@]}"; do wait "$q" || rc=$?; done
    pids=()
    for r in $roles; do
        [ "$rc" = 0 ] || break
        code=$(tr -d '\r' < "$log-$r.log" | awk '$1 == "JOB-ENDED" { print $2 }')
        rc=${code:-99}
    done
    exit "$rc"
}

case ${1:-} in
setup) setup ;;
run)
    [ $# = 3 ] || die "usage: guest.sh run veth|pair JOB"
    run "$2" "$3"
    ;;
*)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac
