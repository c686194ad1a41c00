#!/bin/bash
# timeout: 600
# takes: 60
# Engine kvm on a real KVM, one level down: QEMU's translator emulates a CPU with SVM, a stock Debian
# kernel with kvm_amd runs on it, and viaduct runs there with --engine kvm: the bare-metal guests
# pass, then stock Linux boots on both boards, writes and reads back its disks, and powers off.
# "nested.sh guests" and "nested.sh linux" do one of the two; "nested.sh irqchip" is bench/irqchip, no
# test. ICOUNT=1: time is instructions, two nanoseconds each. LINUX_ARGS adds to Linux's command line.
# The kernel is the bundled guest's (viaduct guest fetch); its modules come from the same package,
# kept in $BUILD/nested (KERNEL_DEB=FILE gives it by hand).
: "${ROOT:=$(cd "$(dirname "$0")/../.." && pwd)}" "${BUILD:=$ROOT/build}" "${VIADUCT:=$BUILD/viaduct}"
guest=${VIADUCT_GUEST:-${XDG_DATA_HOME:-$HOME/.local/share}/viaduct}
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
keep=$BUILD/nested
parts=${*:-guests linux}
bare="hello exceptions paging modes strings syscall fpu debug seg32"

skip() {
    echo "$1"
    exit 77
}

command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
busybox=$(command -v busybox) || skip "no busybox"
[ -r "$guest/vmlinux" ] || skip "no bundled guest: run viaduct guest fetch"

# The package whose modules fit the bundled kernel.
package() {
    local version name
    version=$(grep -aom1 'Linux version [^ ]*' "$guest/vmlinux" | cut -d' ' -f3)
    name=linux-image-$version
    mkdir -p "$keep"
    if [ -n "$KERNEL_DEB" ]; then
        echo "$KERNEL_DEB"
    else
        compgen -G "$keep/${name}_*.deb" ||
            { (cd "$keep" && apt-get download -q "$name" >/dev/null 2>&1); compgen -G "$keep/${name}_*.deb"; }
    fi | head -1
}

deb=$(package)
[ -r "$deb" ] || skip "no package with the modules of the bundled kernel"
dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" --wildcards '*/kvm.ko*' '*/kvm-amd.ko*' \
    '*/ccp.ko*' '*/irqbypass.ko*' || exit 1

root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,modules,guests}
cp "$busybox" "$root/bin/busybox"
find "$work" -path "$root" -prune -o -name '*.ko*' -exec cp {} "$root/modules/" \;
cp "$BUILD"/guests/*.elf "$root/guests/"
cp "$VIADUCT" "$root/bin/viaduct"
cp "$guest/vmlinux" "$guest/initramfs.cpio" "$root/"
for lib in $(ldd "$VIADUCT" | grep -o '/[^ ]*'); do
    mkdir -p "$root/$(dirname "$lib")"
    cp -L "$lib" "$root/$lib"
done
cat >"$work/job" <<'EOF'
#!/bin/busybox sh
# What the innermost Linux does, on two CPUs: both work, each disk gives back from the medium what was written to it.
reads=$(sed -n 's/.*test.reads=\([0-9]*\).*/\1/p' /proc/cmdline)
if [ -n "$reads" ]; then
    read from rest </proc/uptime
    dd if=/dev/vda of=/dev/null bs=4k count=$reads iflag=direct 2>/dev/null
    read to rest </proc/uptime
    echo "== reads $reads from $from to $to"
    exit
fi
board=$(sed 's/.*test.board=\([a-z]*\).*/\1/' /proc/cmdline)
dd if=/dev/urandom of=/data bs=64k count=8 2>/dev/null
for d in vda sda; do
    [ -b /dev/$d ] || continue
    dd if=/data of=/dev/$d bs=64k seek=3 conv=fsync 2>/dev/null
    echo 3 >/proc/sys/vm/drop_caches
    dd if=/dev/$d bs=64k skip=3 count=8 2>/dev/null | cmp - /data && echo "== end $board-$d 0"
done
grep -q 'LOC: *[1-9][0-9][0-9]' /proc/interrupts && echo "== end $board-ticks 0"
# Both CPUs at once, many short programs on each, pipes between them: the sums are one another's.
for c in 1 2; do
    taskset $c sh -c 'for i in 1 2 3; do cat /data | sha256sum; done' >/sum.$c &
done
wait
[ $(nproc) = 2 ] && [ $(sort -u /sum.1 /sum.2 | wc -l) = 1 ] && [ $(cat /sum.1 /sum.2 | wc -l) = 6 ] &&
    awk '/^ *(LOC|RES|CAL):/ {n += $2 > 0 && $3 > 0} END {exit n < 2}' /proc/interrupts && echo "== end $board-cpus 0"
EOF
chmod +x "$work/job"
"$VIADUCT" guest pack "$root/job.cpio" "$work/job"=job || exit 1
cat >"$root/init" <<EOF
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t tmpfs tmp /tmp
for m in irqbypass kvm ccp kvm-amd; do insmod /modules/\$m.ko; done
stamp() { read up rest </proc/uptime; echo "== \$* at \$up"; }
# Stock Linux, and that its kicks went through ioeventfd: none of them trapped.
stock() {
    board=\$1 chip=\$2
    shift 2
    stamp begin \$board
    { viaduct run --engine kvm --irqchip \$chip --cpus 2 --board \$board --memory 256M --timeout 150 --ledger - \\
        --kernel /vmlinux --initrd /initramfs.cpio --initrd /job.cpio "\$@" \\
        --append "console=ttyS0 panic=-1 reboot=a cryptomgr.notests noreplace-smp viaduct.run=/job test.board=\$board $LINUX_ARGS"
      echo "== end \$board-linux \$?"; } </dev/null 2>&1 | tee /tmp/said
    awk '\$1 == "bell" && \$2 == "virtio0" && \$5 > 0 {rang = 1}
         \$1 == "mmio" && \$2 == "virtio0" && \$3 == "notify" && \$5 > 0 {trapped = 1}
         END {exit !rang || trapped}' /tmp/said && echo "== end \$board-doorbell 0"
    # With split, messages go by irqfd once they repeat, and nobody counts local APICs.
    awk '\$1 == "bell" && \$2 == "virtio0" && \$3 ~ /^msix/ && \$5 > 0 {irqfd = 1}
         \$1 == "mmio" && \$2 ~ /^lapic/ && \$5 > 0 {user = 1}
         END {print "== end '\$board-\$chip' " (irqfd && !user ? "split" : user && !irqfd ? "user" : "?")}' /tmp/said
}
for part in $parts; do
    case \$part in
    guests)
        for g in $bare; do
            stamp begin \$g
            viaduct run --engine kvm --memory 32M --debug-exit --timeout 150 --kernel /guests/\$g.elf --append tcg --console file=/tmp/out 2>&1
            echo "== end \$g \$?"
            grep -e '^FAIL' -e '# skip no such mode' /tmp/out
        done
        # Interrupts with the local APICs here and in the kernel, one CPU and several.
        for chip in user split; do
            for g in timers:1 smp:2 irqs:1 irqs:4; do
                [ \$g-\$chip = smp:2-user ] && continue # long, on one CPU; guests.sh has it
                n=\${g#*:} name=\${g%:*}-\${g#*:}-\$chip
                stamp begin \$name
                viaduct run --engine kvm --irqchip \$chip --cpus \$n --memory 32M --debug-exit --timeout 150 \
                    --kernel /guests/\${g%:*}.elf --append "tcg cpus=\$n" --console file=/tmp/out 2>&1
                echo "== end \$name \$?"
                grep -e '^FAIL' -e '# skip no such mode' /tmp/out
            done
        done
        for way in pio mmio; do
            stamp begin regdisk-\$way
            viaduct run --engine kvm --memory 32M --debug-exit --timeout 150 --kernel /guests/regdisk.elf \
                --disk mem:1M,via=regdisk-\$way --append "tcg via=\$way" --console file=/tmp/out 2>&1
            echo "== end regdisk-\$way \$?"
            grep -e '^FAIL' -e '# skip no such mode' /tmp/out
        done
        for trap in each patched writes; do
            stamp begin patch-\$trap
            viaduct run --engine kvm --memory 32M --debug-exit --timeout 150 --kernel /guests/patch.elf --ledger - \\
                --disk mem:1M,via=regdisk-mmio,trap=\$trap --append "tcg \$trap" --console file=/tmp/out 2>&1
            echo "== end patch-\$trap \$?"
            grep -e '^FAIL' /tmp/out
        done
        stamp begin patch-smp
        viaduct run --engine kvm --cpus 2 --memory 32M --debug-exit --timeout 150 --kernel /guests/patch_smp.elf \\
            --disk mem:1M,via=regdisk-mmio,trap=patched --append "tcg n=300" --console file=/tmp/out 2>&1
        echo "== end patch-smp \$?"
        grep -e '^FAIL' /tmp/out
        stamp begin bench
        viaduct run --engine kvm --memory 32M --debug-exit --timeout 150 --kernel /guests/bench.elf --append "tcg n=2000"
        echo "== end bench \$?"
        ;;
    linux)
        stock pc split --disk mem:16M,via=virtio --disk mem:16M,via=ide
        stock micro user --disk mem:16M,via=virtio
        ;;
    irqchip)
        for chip in user split; do
            for n in 100 4000; do
                viaduct run --engine kvm --irqchip \$chip --memory 256M --timeout 150 --ledger - --disk mem:16M,via=virtio \\
                    --kernel /vmlinux --initrd /initramfs.cpio --initrd /job.cpio --console file=/tmp/said \\
                    --append "console=ttyS0 panic=-1 reboot=a cryptomgr.notests noreplace-smp viaduct.run=/job test.reads=\$n" 2>&1 |
                    sed -n "s/^exit  cpu0 */== irqchip \$chip exits /p"
                grep '^== reads' /tmp/said | sed "s/==/== irqchip \$chip/"
            done
        done
        ;;
    esac
done
stamp over
poweroff -f
EOF
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initrd"

timeout -s KILL 500 qemu-system-x86_64 -accel tcg,tb-size=512 ${ICOUNT:+-icount shift=1,sleep=off} -cpu qemu64,+svm,+npt -m 1200 \
    -display none -serial stdio -no-reboot -nodefaults -kernel "$guest/vmlinux" \
    -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1 cryptomgr.notests noreplace-smp no_timer_check tsc=reliable" \
    </dev/null 2>&1 | stdbuf -o0 tr -d '\r' | tee "$work/log"

# Each line: what is checked, the part it belongs to, the status it ends with.
count=0 bad=0
while read -r what part want; do
    case " $parts " in *" $part "*) ;; *) continue ;; esac
    count=$((count + 1))
    verdict=ok
    grep -q "^== end $what $want\$" "$work/log" || verdict="not ok" bad=1
    echo "$verdict $count - nested: $what on engine kvm"
done <<EOF
$(printf '%s guests 1\n' $bare {timers-1,irqs-1,irqs-4}-{user,split} smp-2-split regdisk-pio regdisk-mmio patch-{each,patched,writes,smp} bench)
$(printf '%s linux 0\n' pc-{linux,vda,sda,ticks,cpus,doorbell} micro-{linux,vda,ticks,cpus,doorbell})
pc-split linux split
micro-user linux user
EOF
[ $bad = 0 ] || grep -aE "^FAIL|^viaduct: error" "$work/log" | sed 's/^/# /'
echo "1..$count"
exit $bad
