#!/bin/bash
# build.sh TARGET OUT.so - a GPU plug-in out of kernels/*.hip.  TARGET is
#   gfx942   clang++-19 over Debian's HIP headers and device libraries
#   sm_90    nvcc over the same headers (code is sm_90a: Hopper's instructions)
#   emu-32, emu-64   g++ over kernels/emu: NVIDIA's and AMD's layouts on the host
# Exit 77 and one line with the reason where a compiler or header is missing.
# Objects lie in OUT.so.d and are made again when a source is newer.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 5
target=$1
out=$2
objects=$out.d
mkdir -p "$objects"

skip() {
    echo "kernels: skipped $(basename "$out"): $*"
    exit 77
}

have() {
    command -v "$1" > /dev/null || skip "no $1 (package $2)"
}

header() {
    [ -e /usr/include/hip/hip_runtime.h ] ||
        skip "no hip/hip_runtime.h (package libamdhip64-dev)"
}

name=-DPLUGIN_NAME=\"hip-$target\"
sources=(kernels/*.hip)
case $target in
gfx942)
    have clang++-19 clang-19
    have clang-offload-bundler-19 clang-tools-19
    have ld.lld-19 lld-19
    header
    bitcode=${ROCM_BITCODE:-/usr/lib/x86_64-linux-gnu/amdgcn/bitcode}
    [ -e "$bitcode/ocml.bc" ] || skip "no $bitcode (package rocm-device-libs)"
    # Debian's device libraries stop at gfx940.  All that gfx942 needs beyond
    # them is the constant of its ISA version, made without optimiser passes,
    # which would drop it.
    lib=$objects/devlib
    mkdir -p "$lib"
    ln -sf "$bitcode"/*.bc "$lib/"
    printf 'target triple = "amdgcn-amd-amdhsa"\n%s\n' \
        '@__oclc_ISA_version = linkonce_odr protected local_unnamed_addr addrspace(4) constant i32 9402, align 4' |
        clang-19 -target amdgcn-amd-amdhsa -mcpu=gfx942 -nogpulib -emit-llvm \
            -c -x ir -Xclang -disable-llvm-passes \
            -o "$lib/oclc_isa_version_942.bc" - || exit 1
    compile=(clang++-19 -x hip --offload-arch=gfx942 --rocm-path=/usr
        "--rocm-device-lib-path=$lib" -O3 -fPIC -fvisibility=hidden
        -Wall -Wextra -Wno-unused-parameter "$name" -I.)
    link=(clang++-19 -shared --hip-link --offload-arch=gfx942
        --rocm-path=/usr "--rocm-device-lib-path=$lib")
    libs=(-lamdhip64)
    ;;
sm_90)
    have nvcc cuda-toolkit
    header
    compile=(nvcc -x cu -O3 -std=c++17
        -gencode=arch=compute_90a,code=sm_90a -Xcompiler -fPIC
        -Xcompiler -fvisibility=hidden -lineinfo "$name" -I.)
    link=(nvcc -shared)
    libs=()
    ;;
emu-32 | emu-64)
    have g++ g++
    sources+=(kernels/emu/*.cpp)
    compile=(g++ -x c++ -std=c++17 -O1 -g -fPIC -fvisibility=hidden -Wall
        -Wno-unknown-pragmas -Wno-unused-function -Wno-unused-variable
        "-DEMU_LANES=${target#emu-}" "-DPLUGIN_NAME=\"$target\""
        -Ikernels/emu -I.)
    link=(g++ -shared)
    libs=()
    ;;
*)
    echo "kernels: there is no target $target" >&2
    exit 2
    ;;
esac

# Each kernel file with products must hold matrix instructions.
matrix() {
    local f n bad=0 told=
    if ! command -v llvm-objdump-19 > /dev/null; then
        echo "kernels: matrix instructions not looked at: no llvm-objdump-19" \
            "(package llvm-19)"
        return 0
    fi
    for f in attn_decode attn_prefill gemm moe stream; do
        llvm-objcopy-19 --dump-section .hip_fatbin="$objects/fat" \
            "$objects/$f.hip.o" /dev/null &&
            clang-offload-bundler-19 --unbundle --type=o \
                --targets=hipv4-amdgcn-amd-amdhsa--gfx942 \
                --input="$objects/fat" --output="$objects/$f.co" || return 1
        n=$(llvm-objdump-19 -d --mcpu=gfx942 "$objects/$f.co" | grep -c v_mfma)
        told="$told $f $n"
        [ "$n" -gt 0 ] || bad=1
    done
    echo "kernels: v_mfma instructions:$told"
    return $bad
}

newest=$(ls -t kernels/*.h kernels/emu/hip/*.h tools/hip/* | head -n 1)
list=()
fresh=no
for f in "${sources[@]}"; do
    o=$objects/$(basename "$f").o
    list+=("$o")
    [ "$o" -nt "$f" ] && [ "$o" -nt "$newest" ] && continue
    fresh=yes
    "${compile[@]}" -c "$f" -o "$o" || exit 1
done
[ $fresh = no ] && [ -e "$out" ] && exit 0
"${link[@]}" "${list[@]}" -o "$out" "${libs[@]}" || exit 1
[ "$target" != gfx942 ] || matrix || exit 1
echo "kernels: made $out"
