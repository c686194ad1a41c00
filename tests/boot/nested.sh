#!/bin/bash
# timeout: 900
# Engine kvm on a real KVM, one level down: QEMU's translator emulates a CPU with SVM, a stock Debian
# kernel with kvm_amd runs on it, and viaduct runs there with --engine kvm: first the bare-metal
# guests pass; "nested.sh linux" boots stock Linux to its shell instead (long: not part of the suite).
# The kernel is the bundled guest's (viaduct guest fetch); its modules come from the same package,
# kept in $BUILD/nested (KERNEL_DEB=FILE gives it by hand).
: "${ROOT:=$(cd "$(dirname "$0")/../.." && pwd)}" "${BUILD:=$ROOT/build}" "${VIADUCT:=$BUILD/viaduct}"
guest=${VIADUCT_GUEST:-${XDG_DATA_HOME:-$HOME/.local/share}/viaduct}
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
keep=$BUILD/nested
parts=${*:-guests}
bare="hello exceptions paging modes strings syscall fpu debug seg32 timers"

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
cat >"$root/init" <<EOF
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t tmpfs tmp /tmp
for m in irqbypass kvm ccp kvm-amd; do insmod /modules/\$m.ko; done
stamp() { read up rest </proc/uptime; echo "== \$* at \$up"; }
for part in $parts; do
    case \$part in
    guests)
        for g in $bare; do
            stamp begin \$g
            viaduct run --engine kvm --memory 32M --debug-exit --timeout 60 --kernel /guests/\$g.elf --append tcg --console file=/tmp/out 2>&1
            echo "== end \$g \$?"
            grep FAIL /tmp/out
        done
        for way in pio mmio; do
            stamp begin regdisk-\$way
            viaduct run --engine kvm --memory 32M --debug-exit --timeout 60 --kernel /guests/regdisk.elf \
                --disk mem:1M,via=regdisk-\$way --append via=\$way --console file=/tmp/out 2>&1
            echo "== end regdisk-\$way \$?"
            grep FAIL /tmp/out
        done
        viaduct run --engine kvm --memory 32M --debug-exit --timeout 60 --kernel /guests/bench.elf --append n=2000
        ;;
    linux)
        stamp begin linux
        viaduct run --engine kvm --memory 256M --timeout 400 --kernel /vmlinux --initrd /initramfs.cpio \
            --append "console=ttyS0 panic=-1 cryptomgr.notests noreplace-smp $LINUX_ARGS" </dev/null 2>&1
        echo "== end linux \$?"
        ;;
    esac
done
stamp over
poweroff -f
EOF
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initrd"

timeout -s KILL 800 qemu-system-x86_64 -accel tcg,tb-size=512 -cpu qemu64,+svm,+npt -m 1200 \
    -display none -serial stdio -no-reboot -nodefaults -kernel "$guest/vmlinux" \
    -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1 cryptomgr.notests noreplace-smp tsc=reliable" \
    </dev/null 2>&1 | stdbuf -o0 tr -d '\r' | tee "$work/log"

count=0
for what in $bare regdisk-pio regdisk-mmio linux; do
    case "$what:$parts" in
    linux:*linux*) want=${LINUX_STATUS:-0} ;;
    linux:*) continue ;;
    *:*guests*) want=1 ;;
    *) continue ;;
    esac
    count=$((count + 1))
    grep -q "^== end $what $want\$" "$work/log" && verdict=ok || verdict="not ok"
    echo "$verdict $count - nested: $what on engine kvm"
done
