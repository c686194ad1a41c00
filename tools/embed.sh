#!/bin/sh
# embed.sh OUT.S NAME=ELF…: assembly that holds the files, from symbol NAME to NAME_end.
set -e
out=$1
shift
{
    echo '    .section .rodata, "a"'
    for pair; do
        name=${pair%%=*}
        printf '    .balign 16\n    .globl %s, %s_end\n%s:\n    .incbin "%s"\n%s_end:\n' \
            "$name" "$name" "$name" "$(realpath "${pair#*=}")" "$name"
    done
    echo '    .section .note.GNU-stack, "", @progbits'
} >"$out"
