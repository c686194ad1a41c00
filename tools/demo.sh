#!/bin/bash
# make demo: fetch the bundled guest once, boot it with one ext4 image behind an IDE controller and
# behind virtio-blk, and print what each way cost. Usage: tools/demo.sh [viaduct options]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
viaduct=${VIADUCT:-$root/build/viaduct}
guest=${VIADUCT_GUEST:-${XDG_DATA_HOME:-$HOME/.local/share}/viaduct}
PATH=$PATH:/usr/sbin:/sbin # mkfs.ext4 lives there

[ -e "$guest/vmlinux" ] && [ -e "$guest/initramfs.cpio" ] || "$viaduct" guest fetch --dir "$guest"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 128M "$work/disk.img"
mkfs.ext4 -q -F "$work/disk.img"

start=$(date +%s%N)
"$viaduct" run --guest "$guest" --disk "$work/disk.img,via=ide+virtio" --timeout 300 \
    --console file="$work/console" --ledger "$work/ledger.json" --report \
    --append "console=ttyS0 reboot=a panic=-1 cryptomgr.notests noreplace-smp quiet viaduct.run=/bin/viaduct-demo" \
    "$@" </dev/null || { cat "$work/console"; echo "demo: the guest did not power off" >&2; exit 1; }
end=$(date +%s%N)
cat "$work/console"
grep -q 'demo: all is well' "$work/console"
e2fsck -fn "$work/disk.img" >/dev/null 2>&1 || { echo "demo: the file system is damaged" >&2; exit 1; }
echo "host: file system clean; boot to power-off took $(((end - start) / 1000000)) ms"
echo
python3 "$root/tools/demo_table.py" "$work/ledger.json"
