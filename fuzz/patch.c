/*
 * Patched instructions: two machines run the same code and get the same bytes written, one of them
 * patches. After each instruction their registers and what the device saw must be alike; put back,
 * their memory too. RIP of a trap is at the instruction or behind it, as engines differ.
 */
#include "input.h"
#include "patch_world.h"

#include <stdlib.h>

enum { EVENTS_MAX = 256, AREA = 0x2000, AREA_LEN = 0x3000, BYTES_MAX = 24 };
enum event { EV_RUN, EV_WRITE, EV_REGS, EV_POINT, EV_COPY, EV_READ, EV_BACK, EV_SWITCH, EVENTS };

struct play {
    struct pw a, b; /* a patches */
    struct input in;
    bool copied; /* a's memory may hold a's patches as data */
};

static gpa_t place(struct play *p)
{
    return AREA + take_u16(&p->in) % AREA_LEN;
}

static void ev_write(struct play *p)
{
    uint8_t buf[BYTES_MAX];
    gpa_t at = place(p);
    size_t n = take(&p->in, buf, 1 + take_u8(&p->in) % BYTES_MAX);

    pw_write(&p->a, at, buf, n);
    pw_write(&p->b, at, buf, n);
}

static void ev_regs(struct play *p)
{
    unsigned reg = take_u8(&p->in);

    p->a.r.gpr[reg % 16] = p->b.r.gpr[reg % 16] = take_int(&p->in, 8);
    if (reg & 16)
        p->a.r.rflags = p->b.r.rflags = 2 | (reg & 32 ? 0x100 : 0) | (reg & 64 ? 0x20000 : 0);
    if (reg & 128)
        p->a.where = reg & 16 ? TRAP_RIP_BEHIND : reg & 32 ? TRAP_RIP_EITHER : TRAP_RIP_AT;
}

/* At a register of the device, or at RAM. */
static void ev_point(struct play *p)
{
    unsigned reg = take_u8(&p->in), off = take_u8(&p->in);
    uint64_t to = reg & 128 ? AREA + off * 8u : PW_REGS - 8 + off % 80;

    p->a.r.gpr[reg % 16] = p->b.r.gpr[reg % 16] = to;
}

static void ev_copy(struct play *p)
{
    unsigned from = take_u8(&p->in) % 3, to = take_u8(&p->in) % 3;
    uint8_t buf[4096];

    memcpy(buf, ram_ptr(&p->a.ram, AREA + from * 4096, 4096), 4096);
    pw_write(&p->a, AREA + to * 4096, buf, 4096);
    memcpy(buf, ram_ptr(&p->b.ram, AREA + from * 4096, 4096), 4096);
    pw_write(&p->b, AREA + to * 4096, buf, 4096);
    p->copied = true;
}

/* A device reads there. */
static void ev_read(struct play *p)
{
    gpa_t at = place(p);

    ram_original(&p->a.ram, at, BYTES_MAX);
    PROMISE(p->copied || !memcmp(ram_ptr(&p->a.ram, at, BYTES_MAX),
                                 ram_ptr(&p->b.ram, at, BYTES_MAX), BYTES_MAX));
}

static void all_back(struct play *p)
{
    patch_restore_all(p->a.patch);
    PROMISE(!p->a.ram.patches);
    PROMISE(p->copied || !memcmp(ram_ptr(&p->a.ram, AREA, AREA_LEN),
                                 ram_ptr(&p->b.ram, AREA, AREA_LEN), AREA_LEN));
}

static bool is_patch(const uint8_t *m)
{
    return (m[0] == 0xe6 || m[0] == 0xe7) && m[1] - PATCH_PORT < PATCH_PORTS;
}

/* What docs/mechanisms.md leaves out: an instruction that overlaps a patched one, one that is
 * patched and runs where OUT is not allowed (virtual-8086 mode), an OUT imm8 of the guest's own. */
static bool alike(const struct play *p, gpa_t at)
{
    const uint8_t *a = ram_ptr(&p->a.ram, at, 16), *b = ram_ptr(&p->b.ram, at, 16);
    bool patched = is_patch(a) && !(p->a.r.rflags & 0x20000);

    return b[0] != 0xe6 && b[0] != 0xe7 && !memcmp(a + 2, b + 2, 14) &&
           (patched || !memcmp(a, b, 2));
}

/* a may take a second step: what it put back runs by itself then. */
static void ev_run(struct play *p)
{
    uint64_t rip = place(p);
    unsigned tries = 0;
    bool ok_a, ok_b;

    if (!alike(p, rip))
        patch_restore_all(p->a.patch);
    if (!alike(p, rip))
        return;
    p->a.r.rip = p->b.r.rip = rip;
    ok_b = pw_step(&p->b);
    do {
        ok_a = pw_step(&p->a);
    } while (ok_a && p->a.resumed && p->a.r.rip == rip && tries++ < 2);
    p->a.resumed = false;
    if (!ok_b) { /* a fault: nothing happened */
        p->a.r = p->b.r;
        return;
    }
    if (p->b.read_ram) /* it may have read a patch */
        p->a.r = p->b.r;
    PROMISE(ok_a && !memcmp(&p->a.r, &p->b.r, sizeof(p->a.r)));
    PROMISE(p->a.logged == p->b.logged && p->a.outs == p->b.outs);
    PROMISE(!memcmp(p->a.log, p->b.log, sizeof(p->a.log)));
}

static void play(struct play *p, unsigned event)
{
    switch (event) {
    case EV_RUN: ev_run(p); break;
    case EV_WRITE: ev_write(p); break;
    case EV_REGS: ev_regs(p); break;
    case EV_POINT: ev_point(p); break;
    case EV_COPY: ev_copy(p); break;
    case EV_READ: ev_read(p); break;
    case EV_BACK: all_back(p); break;
    case EV_SWITCH: patch_switch(p->a.patch, take_u8(&p->in) & 1); break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.in = {data, len}};
    unsigned mode = take_u8(&p.in) % PW_MODES;

    PROMISE(pw_open(&p.a, true) && pw_open(&p.b, false));
    pw_mode(&p.a, mode);
    pw_mode(&p.b, mode);
    for (unsigned n = 0; n < EVENTS_MAX && p.in.len; n++)
        play(&p, take_u8(&p.in) % EVENTS);
    all_back(&p);
    pw_close(&p.a);
    pw_close(&p.b);
    return 0;
}
