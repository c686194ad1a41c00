/*
 * The workload on bare metal, for viaduct compare: one of the ways to a disk, and loop.c over it.
 *
 * Options: way=NAME; size=N bytes, a power of two; read=P percent; depth=N; n=N requests a round;
 * rounds=N; flushes=N at the end, warm=N before; blocks=N of that size on the disk; seed=N; poll:
 * completion without interrupts.
 */
#include "work.h"

static const struct way *const ways[] = {
    &way_regdisk_pio,   &way_regdisk_mmio, &way_ide_pio, &way_ide_dma, &way_virtio_split,
    &way_virtio_packed, &way_hypercall,    &way_batch,   &way_ring,    &way_ring_polled};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void (*disk_hook)(void);

/* ---- interrupts ---- */

static bool vector_hook(struct frame *f)
{
    (void)f;
    disk_hook();
    lapic_set(LAPIC_EOI, 0);
    return true;
}

void disk_irq_init(void (*hook)(void))
{
    disk_hook = hook;
    trap_hook[DISK_VECTOR] = vector_hook;
    lapic_enable();
}

void disk_irq_pin(unsigned pin, bool level)
{
    ioapic_set(0x11 + 2 * pin, 0); /* to the first CPU */
    ioapic_set(0x10 + 2 * pin, DISK_VECTOR | (level ? 1u << 15 : 0));
}

void work_open(void)
{
    asm volatile("sti; nop; cli" ::: "memory");
}

void work_sleep(void)
{
    sti_hlt_cli();
}

/* ---- options ---- */

/* "way=" names one; it must match whole. */
static const struct way *way_named(const uint8_t *mbi)
{
    char want[64];

    for (unsigned i = 0; i < WAYS; i++) {
        const char *n = ways[i]->name;
        unsigned at = 4;

        mem_copy(want, "way=", 4);
        while (*n && at < sizeof(want) - 1)
            want[at++] = *n++;
        want[at] = 0;
        if (guest_has(mbi, want))
            return ways[i];
    }
    return NULL;
}

static uint32_t number(const uint8_t *mbi, const char *key, uint32_t fallback)
{
    return (uint32_t)guest_opt(mbi, key, fallback);
}

void guest_main(const uint8_t *mbi)
{
    const struct way *w = way_named(mbi);
    const struct work o = {
        .size = number(mbi, "size", 4096),
        .read = number(mbi, "read", 100),
        .blocks = number(mbi, "blocks", 64),
        .depth = number(mbi, "depth", 1),
        .n = number(mbi, "n", 100),
        .rounds = number(mbi, "rounds", 1),
        .flushes = number(mbi, "flushes", 0),
        .warm = number(mbi, "warm", 0),
        .seed = number(mbi, "seed", 1),
        .polled = guest_has(mbi, "poll"),
    };

    if (!check("this way is known", w != NULL) ||
        !check("the workload can be run", work_set(&o, w)) ||
        !check("the controller is there", w->open()))
        return;
    work_run(&o, w);
}
