/* Guest pv: frames between two NICs of this machine on one switch, and a console's text. */
#include "pv_drive.h"

static struct pv_nics at;

static uint32_t frame_make(uint8_t *p, unsigned to, uint32_t tag)
{
    mem_copy(p, at.mac[to], 6);
    mem_copy(p + 6, at.mac[!to], 6);
    p[12] = 0x88, p[13] = 0xb5; /* for experiments (IEEE 802) */
    for (unsigned i = 14; i < 100; i++)
        p[i] = (uint8_t)(tag + i);
    return 100;
}

static bool frame_is(const uint8_t *p, unsigned to, uint32_t tag)
{
    uint8_t want[100];

    frame_make(want, to, tag);
    return mem_eq(p, want, sizeof(want));
}

/* A frame crosses another process: ask until it is there. */
static int64_t nic_read(unsigned nic, uint8_t *p)
{
    int64_t n = -PV_E_AGAIN;

    for (unsigned i = 0; i < 2000000 && n == -PV_E_AGAIN; i++)
        n = device_io(0, PV_READ, p, PV_CMD_START, at.first + nic, 1518);
    return n;
}

static void net_calls(void)
{
    bool ok = true;

    for (unsigned i = 0; i < 8; i++) {
        uint32_t len = frame_make(buf, 1, i);

        ok &= device_io(0, PV_WRITE, buf, PV_CMD_START, at.first, len) == len;
        ok &= nic_read(1, other) == len && frame_is(other, 1, i);
    }
    check("frames, in registers", ok);
    for (unsigned i = 0; i < 8; i++)
        unit_set(&batch[i], 0, PV_WRITE, buf + 512 * i, frame_make(buf + 512 * i, 0, 50 + i),
                 at.first + 1);
    hcall(PV_CALL_BATCH, (uintptr_t)batch, 8, 0, 0, 0);
    ok = moved_all(batch, 8);
    for (unsigned i = 0; i < 8; i++)
        ok &= nic_read(0, other) == 100 && frame_is(other, 0, 50 + i);
    check("frames, in a batch", ok);
    check_eq("a frame that is none",
             (uint64_t)device_io(0, PV_WRITE, buf, PV_CMD_START, at.first, 13),
             (uint64_t)-PV_E_LENGTH);
}

/* Eight reads wait in the ring; eight frames are sent behind them; interrupts tell of them. */
static void net_ring(void)
{
    unsigned before = irqs;
    bool ok = ring_open(0);

    for (unsigned i = 0; i < 8; i++) {
        unit_set(&ring.unit[i], 0, PV_READ, buf + 2048 * i, 1518, at.first);
        unit_set(&ring.unit[8 + i], 0, PV_WRITE, other + 128 * i,
                 frame_make(other + 128 * i, 0, 90 + i), at.first + 1);
    }
    ring.head.intr_at = 15;
    ring_submit(16);
    ok &= ring_sleep(16) && moved_all(ring.unit + 8, 8);
    for (unsigned i = 0; i < 8; i++)
        ok &= ring.unit[i].status == 0 && ring.unit[i].moved == 100 &&
              frame_is(buf + 2048 * i, 0, 90 + i);
    check("frames, in a ring", ok);
    check("by interrupt", irqs > before);
}

void net_forms(const struct pv_nics *nics)
{
    at = *nics;
    net_calls();
    net_ring();
}

/* ---- the console ---- */

void con_forms(unsigned console)
{
    static char text[3][32] = {"in registers\n", "in a batch\n", "in a ring\n"};
    static const uint32_t len[3] = {13, 11, 10};

    check_eq("console, in registers",
             (uint64_t)device_io(0, PV_WRITE, text[0], PV_CMD_START, console, len[0]), len[0]);
    unit_set(batch, 0, PV_WRITE, text[1], len[1], console);
    hcall(PV_CALL_BATCH, (uintptr_t)batch, 1, 0, 0, 0);
    check_eq("console, in a batch", batch->moved, len[1]);
    ring_open(0);
    unit_set(&ring.unit[0], 0, PV_WRITE, text[2], len[2], console);
    ring_intr(0);
    ring_submit(1);
    check("console, in a ring", ring_wait(1) && ring.unit[0].moved == len[2]);
    check_eq("nobody typed",
             (uint64_t)device_io(0, PV_READ, other, PV_CMD_START, console, sizeof(other)),
             (uint64_t)-PV_E_AGAIN);
}
