#!/bin/sh
# monitor.sh OUT.c INCLUDE SOURCE LINK.ld CC…: the cage's program, as an array in C.
set -e
out=$1 include=$2 source=$3 link=$4
shift 4
name=$(basename "$out" .c)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$@" -c -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie -mcmodel=large -fno-stack-protector -fcf-protection=none \
    -fno-asynchronous-unwind-tables -mgeneral-regs-only -U_FORTIFY_SOURCE -Wall -Wextra -Werror -I"$include" \
    -o "$tmp/monitor.o" "$source"
ld -static -nostdlib --build-id=none -z noexecstack -T "$link" -o "$tmp/monitor" "$tmp/monitor.o"
strip "$tmp/monitor"
{
    echo '#include "engine/direct/process.h"'
    echo "const unsigned char $name[] = {"
    od -An -v -tx1 "$tmp/monitor" | sed 's/ \(..\)/0x\1,/g'
    echo '};'
    echo "const unsigned ${name}_len = sizeof($name);"
} >"$out"
