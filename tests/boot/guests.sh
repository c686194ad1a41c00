#!/bin/bash
# timeout: 600
# Each bare-metal guest runs on each engine and reports no failure; engines print the same lines.
# QEMU's translator, where installed, is the oracle of the guests themselves. On a software KVM only
# the guests its kernel can run are tried, and one that it can't: the VM must stop and name the
# instruction. "tests/boot/guests.sh dbt exceptions" runs one of them and shows all it says.
: "${ROOT:=$(cd "$(dirname "$0")/../.." && pwd)}" "${BUILD:=$ROOT/build}" "${VIADUCT:=$BUILD/viaduct}"
out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
guests="hello exceptions paging modes strings syscall fpu fpu32 debug seg32 selfmod32 timers badio bench smp irqs"
direct_guests="hello32 badio32 fpu32 seg32 selfmod32 timers32 escape32" # 32 bits, no paging
slow_kvm_guests="hello strings badio smp irqs"
software= # KVM is
count=0

tap() { # verdict name
    count=$((count + 1))
    echo "$1 $count - $2"
}

cpus() { case $1 in smp) echo 2 ;; irqs) echo 4 ;; *) echo 1 ;; esac } # guest

# engine guest: what the guest is to know of where it runs
words() {
    [ "$2" = irqs ] && echo cpus=4
    [ -n "$software" ] && [ "$1.$2" = kvm.smp ] && echo emulated
}

limit() { timeout -s KILL 90 "$@" </dev/null; }

viaduct() { # engine guest [options]
    limit "$VIADUCT" run --engine "$1" --cpus $(cpus "$2") --memory 64M --debug-exit --timeout 60 \
        --kernel "$BUILD/guests/$2.elf" --console stdio --append "$(words "$@")" "${@:3}" 2>"$out/err"
}

qemu() { # guest
    limit qemu-system-x86_64 -accel tcg -m 64 -smp $(cpus "$1") -nodefaults -display none -serial stdio -no-reboot \
        -cpu qemu64,vendor=GenuineIntel,+smep,+smap,+pdpe1gb,+fsgsbase,+sse4.2 \
        -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$BUILD/guests/$1.elf" -append "tcg $(words qemu "$1")" \
        2>"$out/err"
}

judge() { # engine guest exit-status wanted-status [options]
    if [ "$3" = "$4" ] && ! grep -aq '^FAIL' "$out/$1.$2"; then
        tap ok "$2 on $1${5:+ ${*:5}}"
    else
        tap "not ok" "$2 on $1: exit status $3"
        grep -a '^FAIL' "$out/$1.$2" | head -20
        tail -3 "$out/err"
    fi
}

run() { # engine guest [options]
    case $1 in
    qemu) qemu "$2" ;;
    *) viaduct "$@" ;;
    esac | tr -d '\r' >"$out/$1.$2"
    judge "$1" "$2" "${PIPESTATUS[0]}" 1 "${@:3}"
}

regdisk() { # engine way [options]
    viaduct "$1" regdisk --disk mem:1M,via=regdisk-$2 --append "via=$2 sectors=16" "${@:3}" |
        tr -d '\r' >"$out/$1.regdisk-$2"
    judge "$1" regdisk-$2 "${PIPESTATUS[0]}" 1 "${@:3}"
}

# A CPU that rewrites the ring of a virtio disk while the other kicks.
vio_smp() { # engine split|packed [WORDS [DISK]]
    local words=
    [ "$2" = packed ] && words=,packed
    limit "$VIADUCT" run --engine "$1" --cpus 2 --memory 32M --debug-exit --timeout 60 --kernel "$BUILD/guests/vio_smp.elf" \
        --disk "${4:-mem:1M,via=virtio}$words" --append "$2 seed=$RANDOM ${3:-}" 2>"$out/err" | tr -d '\r' >"$out/$1.vio_smp-$2"
    judge "$1" "vio_smp-$2" "${PIPESTATUS[0]}" 1 ${4:+--disk vhost-user}
    grep -a '^seed' "$out/$1.vio_smp-$2"
}

# The same, with another process that serves the disk: it hears of no request that is none.
vio_smp_domain() {
    "$VIADUCT" domain --disk "mem:1M,socket=$out/disk,packed" 2>"$out/domain" &
    local domain=$! i
    for i in $(seq 500); do [ -S "$out/disk" ] && break; read -rt 0.01 <> <(:); done
    vio_smp dbt split n=1000 "vhost-user=$out/disk"
    vio_smp dbt packed n=1000 "vhost-user=$out/disk"
    kill $domain
    wait $domain && [ "$(wc -l <"$out/domain")" = 1 ] && tap ok "the domain has nothing to complain of" ||
        { tap "not ok" "the domain has nothing to complain of"; head "$out/domain"; }
}

triple() { # engine
    viaduct "$1" triple | tr -d '\r' >"$out/$1.triple"
    judge "$1" triple "${PIPESTATUS[0]}" 8
}

# Says the same as on dbt, apart from figures and what a CPU may lack.
same() { # engine guest
    local a="$out/dbt.$2" b="$out/$1.$2"
    [ -s "$a" ] && [ -s "$b" ] || return
    if diff <(grep -a '^ok' "$a" | sed 's/ # skip.*//') \
        <(grep -a '^ok' "$b" | sed 's/ # skip.*//') >"$out/diff"; then
        tap ok "$2 says the same on dbt and $1"
    else
        tap "not ok" "$2 says the same on dbt and $1"
        head -10 "$out/diff"
    fi
}

on_dbt() {
    for g in $guests; do run dbt "$g"; done
    triple dbt
    regdisk dbt pio
    regdisk dbt mmio
    vio_smp dbt split
    vio_smp dbt packed
    vio_smp_domain
}

on_direct() {
    viaduct direct hello32 >/dev/null
    if [ $? = 2 ]; then
        tap ok "engine direct # SKIP $(tail -1 "$out/err")"
        return
    fi
    for g in $direct_guests; do run direct "$g"; done
    viaduct direct bench32 --append n=1000 | tr -d '\r' >"$out/direct.bench32"
    judge direct bench32 "${PIPESTATUS[0]}" 1
    viaduct direct triple32 | tr -d '\r' >"$out/direct.triple32"
    judge direct triple32 "${PIPESTATUS[0]}" 8
    for how in each writes patched; do
        viaduct direct regdisk32 --disk mem:1M,via=regdisk-mmio,trap=$how \
            --append "via=mmio $how sectors=16" | tr -d '\r' >"$out/direct.regdisk32-$how"
        judge direct regdisk32-$how "${PIPESTATUS[0]}" 1
    done
}

on_kvm() {
    viaduct kvm hello >/dev/null
    if [ $? != 1 ]; then
        tap ok "engine kvm # SKIP $(tail -1 "$out/err")"
        return
    fi
    if grep -q 'software KVM' "$out/err"; then
        software=1
        for g in $slow_kvm_guests; do run kvm "$g"; same kvm "$g"; done
        viaduct kvm exceptions >/dev/null
        [ $? = 4 ] && grep -q 'instruction cc (int3)' "$out/err" &&
            tap ok "an internal error of KVM names the instruction" ||
            tap "not ok" "an internal error of KVM names the instruction: $(tail -1 "$out/err")"
        vio_smp kvm split n=40
    else
        vio_smp kvm split
        vio_smp kvm packed
        for g in $guests; do run kvm "$g"; same kvm "$g"; done
        triple kvm
    fi
    regdisk kvm pio
    regdisk kvm mmio
    halted --irqchip user
    on_split
}

# A guest that halts for good is seen to, also with a CPU that nobody ever starts.
halted() { # [options]
    limit "$VIADUCT" run --engine kvm --cpus 2 --memory 64M --timeout 60 --kernel "$BUILD/guests/hello.elf" \
        --console null "$@" 2>"$out/err"
    local got=$?
    [ $got = 14 ] && tap ok "two CPUs halted for good $*" || tap "not ok" "two CPUs halted for good $*: exit status $got"
}

# The local APICs in the kernel: guests whose interrupts are edges, since a software KVM may get levels wrong.
on_split() {
    viaduct kvm hello --irqchip split >/dev/null
    if [ $? != 1 ]; then
        tap ok "split irqchip # SKIP $(tail -1 "$out/err")"
        return
    fi
    run kvm smp --irqchip split
    same kvm smp
    regdisk kvm pio --irqchip split
    halted --irqchip split
}

on_qemu() {
    if ! command -v qemu-system-x86_64 >/dev/null; then
        tap ok "guests on QEMU # SKIP no qemu-system-x86_64"
        return
    fi
    for g in $guests; do # badio is about the chips of our boards
        [ "$g" = badio ] || run qemu "$g"
    done
}

if [ $# = 2 ]; then
    case $1 in qemu) qemu "$2" ;; *) viaduct "$1" "$2" ;; esac
    status=$?
    cat "$out/err"
    exit $status
fi
on_dbt
on_direct
on_kvm
on_qemu
