#!/bin/busybox sh
# /init's program for bench/ladder: where=WHERE, as netio takes it; netip=ADDRESS if there is a card;
# work=WORK,WORK… for the client.
for w in $(cat /proc/cmdline); do
    case $w in
    netip=*) ip=${w#*=} ;;
    where=*) where=${w#*=} ;;
    work=*) work=$(echo "${w#*=}" | tr , ' ') ;;
    esac
done
if [ -n "$ip" ]; then
    ip link set lo up
    ip link set eth0 up
    ip addr add "$ip/24" dev eth0
    i=0
    while [ "$(cat /sys/class/net/eth0/carrier)" != 1 ] && [ $i -lt 1000 ]; do
        usleep 10000
        i=$((i + 1))
    done
fi
cat /sys/bus/virtio/devices/virtio0/features 2>/dev/null | sed 's/^/FEATURES /'
# shellcheck disable=SC2086
if [ -n "$work" ]; then netio client "$where" $work; else netio server 1 $where; fi
