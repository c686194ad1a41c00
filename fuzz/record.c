/*
 * Recordings, as text: a whole one if it begins like one; else the events of a machine that has one
 * device of each kind. Any bytes are played, differ or are refused, with a message; nothing else.
 */
#include "core/error.h"
#include "input.h"
#include "vm/replay.h"

#include <errno.h>
#include <stdlib.h>

#define MEMORY (64ull << 20)

static const char head[] = "viaduct recording 1\n"
                           "board pc\n"
                           "memory 33554432\n"
                           "epoch 1795247433\n"
                           "start 100000\n"
                           "debug-exit\n"
                           "disk disk0 via=1 sectors=2048 discard zeroes\n"
                           "disk disk1 via=4 sectors=2048 readonly serial=41\n"
                           "disk disk2 via=8 sectors=64 cache\n"
                           "disk disk3 via=2 sectors=2048 queues=2 packed\n"
                           "disk disk4 via=10 sectors=2048\n"
                           "net net0 via=1 mac=020000000001 takes=7 up\n"
                           "net net1 via=2 mac=020000000002 takes=7 up packed\n"
                           "device pit\n"
                           "device i8042\n"
                           "device rtc\n"
                           "device com1\n"
                           "device acpi\n"
                           "device debugexit\n"
                           "device ide0\n"
                           "device regdisk-pio0\n"
                           "device regdisk-mmio0\n"
                           "device nic0\n"
                           "device nic1\n"
                           "device virtio0\n"
                           "device virtio1\n"
                           "begin\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool whole = len >= 8 && !memcmp(data, "viaduct ", 8);
    bool packed = len >= 4 && le32_get(data) == 0xfd2fb528;
    size_t before = whole || packed ? 0 : sizeof(head) - 1;
    char *text = malloc(before + len + 1);
    struct replay p = {.path = "fuzz", .edited = true, .memory = MEMORY, .text = text};
    struct error err = {0};
    int code;

    PROMISE(text);
    memcpy(text, head, before);
    if (len)
        memcpy(text + before, data, len);
    p.len = before + len;
    code = replay_run(&p, &err);
    PROMISE(code == 0 || code == -EPROTO || code == -EINVAL || code == -EFBIG);
    PROMISE(!code || err.text[0]);
    free(text);
    return 0;
}
