#!/bin/sh
# build_program.sh OUT 32|64 SOURCE…: a static Linux program without a C library.
set -e
out=$1 bits=$2
shift 2
lib=$(dirname "$0")/lib
gcc -m$bits -std=gnu11 -O2 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing -mgeneral-regs-only \
    -Wall -Wextra -Werror -I"$lib" -I"$lib/../../src" -Wl,--build-id=none -Wl,-z,noexecstack -o "$out" "$@"
strip "$out"
