# For guests of boot tests, packed as /talk: . /talk; talk ROLE (1 or 2), with load() at hand. A stream
# each way and its hash at the other end: "sent HASH", "ping", "got HASH". Then talk_got, if there is such
# a function: the other is still there.
talk() {
    load vnet
    other=10.9.0.$((3 - $1))
    ip link set eth0 up
    ip addr add 10.9.0.$1/24 dev eth0
    mkdir /tmp/www /tmp/www/cgi-bin
    dd if=/dev/urandom of=/tmp/www/x bs=1M count=6 2>/dev/null
    echo "sent $(sha256sum </tmp/www/x)"
    printf '#!/bin/busybox sh\necho >/tmp/other\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\n' >/tmp/www/cgi-bin/done
    chmod +x /tmp/www/cgi-bin/done
    httpd -h /tmp/www
    until ping -c 1 -W 1 $other >/dev/null; do :; done
    echo "ping"
    until wget -q -O /tmp/got http://$other/x; do usleep 50000; done
    echo "got $(sha256sum </tmp/got)"
    ! type talk_got >/dev/null 2>&1 || talk_got
    # Each stays until the other has all, and has told the other that it has; who hears that goes.
    until timeout 2 wget -q -O /dev/null http://$other/cgi-bin/done || talk_gone; do usleep 50000; done
    until [ -e /tmp/other ]; do usleep 50000; done
    usleep 200000 # the answer to that is on its way: else the other waits for who is gone
}
talk_gone() { [ -e /tmp/other ] && ! ping -c 3 -W 1 $other >/dev/null; }
