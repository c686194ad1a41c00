#!/bin/sh
# Install the Debian packages that viaduct needs, when they are missing.
# Usage: tools/setup.sh [build|demo|test]   (each includes the one before; default: test)
set -eu

build="gcc libc6-dev make meson ninja-build pkg-config python3-minimal
    libzydis-dev liburing-dev libseccomp-dev libcjson-dev libzstd-dev liblz4-dev zlib1g-dev
    liblzma-dev libcmocka-dev libvncserver-dev libvterm-dev"
demo="e2fsprogs cpio zstd xz-utils ca-certificates"
test="clang clang-format libclang-rt-14-dev binutils git qemu-system-x86 qemu-utils busybox-static libc6-dev-i386 lib32gcc-12-dev ethtool pciutils
    linux-headers-amd64 python3 chromium passt strace iproute2 util-linux procps mount dpdk-dev librte-net-virtio23 librte-net-vhost23 gdisk fdisk"

case "${1:-test}" in
build) want=$build ;;
demo) want="$build $demo" ;;
test) want="$build $demo $test" ;;
*)
    echo "usage: tools/setup.sh [build|demo|test]" >&2
    exit 2
    ;;
esac

missing=
for p in $want; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: these packages are missing:$missing" >&2
        echo "setup: install them as root, or install sudo" >&2
        exit 1
    fi
    sudo=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1
}
fail() {
    tail -n 15 "$log" >&2
    echo "setup: $1" >&2
    exit 1
}
echo "setup: installing$missing"
# The package lists may be fresh enough; ask for new ones only when they are not.
if ! apt install --no-install-recommends $missing; then
    echo "setup: refreshing the package lists"
    apt update || fail "apt-get update failed (network? /etc/apt/sources.list?)"
    apt install --no-install-recommends $missing || fail "apt-get install failed"
fi
echo "setup: done"
