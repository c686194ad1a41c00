#!/bin/busybox sh
# /init's program for netio.c: ip=ADDRESS for both guests, peer=ADDRESS work=WORK,WORK… for the client.
for w in $(cat /proc/cmdline); do
    case $w in
    netip=*) ip=${w#*=} ;;
    peer=*) peer=${w#*=} ;;
    work=*) work=$(echo "${w#*=}" | tr , ' ') ;;
    esac
done
ip link set lo up
[ -d /sys/class/net/eth0 ] || insmod /lib/modules/e1000.ko
ip link set eth0 up
ip addr add "$ip/24" dev eth0
i=0
while [ "$(cat /sys/class/net/eth0/carrier)" != 1 ] && [ $i -lt 1000 ]; do
    usleep 10000
    i=$((i + 1))
done
# shellcheck disable=SC2086
if [ -n "$peer" ]; then netio client "$peer" $work; else netio server; fi
