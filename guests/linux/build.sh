#!/bin/sh
# build.sh DIR [KERNEL]: builds DIR/viaduct_regdisk.ko for a kernel's release (6.1.0-56-amd64) or for a
# vmlinux file, by default the bundled guest's. Exit status 77, with the reason: there are no
# headers of that release (Debian: linux-headers-RELEASE).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
dir=$1
kernel=${2:-${VIADUCT_GUEST:-${XDG_DATA_HOME:-$HOME/.local/share}/viaduct}/vmlinux}
if [ -f "$kernel" ]; then
    release=$(grep -am1 -o 'Linux version [^ ]*' "$kernel" | cut -d' ' -f3)
    [ -n "$release" ] || { echo "$kernel: says no Linux version; is it unpacked?" >&2; exit 2; }
else
    case $kernel in
    */*) echo "$kernel: no such file" >&2; exit 2 ;;
    esac
    release=$kernel
fi
headers=${KDIR:-/lib/modules/$release/build}
if [ ! -e "$headers/Module.symvers" ]; then
    echo "no headers of Linux $release in $headers: install linux-headers-$release" >&2
    exit 77
fi
mkdir -p "$dir"
for f in "$here"/Kbuild "$here"/*.c "$here"/*.h; do
    # Copies, as the kernel's build writes beside its sources; unchanged ones stay, for make.
    cmp -s "$f" "$dir/$(basename "$f")" || cp "$f" "$dir/"
done
make -s -C "$headers" M="$(cd "$dir" && pwd)" VIADUCT_SRC="$here/../../src" modules >"$dir/log" 2>&1 || {
    tail -n 30 "$dir/log" >&2
    exit 1
}
strip --strip-debug "$dir/viaduct_regdisk.ko"
echo "$dir/viaduct_regdisk.ko for Linux $release"
