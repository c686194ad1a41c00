#!/bin/sh
# build.sh OUT 32|64 SOURCE…: a bare-metal guest as a multiboot ELF32 (64-bit code is wrapped in ELF32).
set -e
out=$1 bits=$2
shift 2
lib=$(dirname "$0")/lib
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
gcc -m$bits -std=gnu11 -O2 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-delete-null-pointer-checks -mgeneral-regs-only \
    $([ "$bits" = 64 ] && echo -mno-red-zone) -Wall -Wextra -Werror -Wno-array-bounds \
    -I"$lib" -I"$lib/../../src" -Wl,-T,"$lib/link.ld" -Wl,--build-id=none -Wl,-z,noexecstack \
    -Wl,--no-warn-rwx-segments -o "$tmp/guest" \
    "$lib/start$bits.S" "$lib/trap$bits.S" "$lib/trap.c" "$lib/console.c" "$lib/hcall.c" "$@"
objcopy -O elf32-i386 "$tmp/guest" "$out"
