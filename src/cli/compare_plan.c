/*
 * What viaduct compare can compare: the ways to a disk, with what each lets the backend know, and
 * the engines. Then the cells of one comparison.
 */
#include "cli/compare.h"
#include "cli/run.h"
#include "engine/engine.h"
#include <errno.h>
#include <string.h>

#define REASSEMBLED "reassembled by the controller from register writes; known at the command"
#define WHOLE       "handed over whole"
#define OWN_CALLS   "the program's own, before a kernel has cut or joined them"

const struct compare_way compare_ways[] = {
    {.name = "regdisk-pio",
     .disk = ",via=regdisk-pio",
     .guest = "regdisk-pio",
     .line = "5",
     .at = AT_OPERATION,
     .what = "A controller of registers in port space: every in and out is a privileged "
             "instruction, and traps by itself.",
     .boundaries = REASSEMBLED,
     .flush = "a command of its own"},
    {.name = "regdisk-mmio",
     .disk = ",via=regdisk-mmio,trap=each",
     .guest = "regdisk-mmio",
     .line = "7",
     .at = AT_OPERATION,
     .what = "The same registers in memory space, on a page that is not there: every load and "
             "every store traps.",
     .boundaries = REASSEMBLED,
     .flush = "a command of its own"},
    {.name = "regdisk-patched",
     .disk = ",via=regdisk-mmio,trap=patched",
     .guest = "regdisk-mmio",
     .line = "7",
     .at = AT_OPERATION,
     .what = "The hypervisor rewrites the instructions that touch the page into ones that trap: "
             "as many traps, made in another way.",
     .boundaries = REASSEMBLED,
     .flush = "a command of its own"},
    {.name = "regdisk-writes",
     .disk = ",via=regdisk-mmio,trap=writes",
     .guest = "regdisk-mmio",
     .line = "7",
     .at = AT_OPERATION,
     .what = "The page of registers is real memory that the guest may read; only its stores trap.",
     .boundaries = REASSEMBLED,
     .flush = "a command of its own"},
    {.name = "ide-pio",
     .disk = ",via=ide",
     .guest = "ide-pio",
     .line = "14",
     .at = AT_OPERATION,
     .what = "An IDE disk, its data read and written by the CPU through the data port, in string "
             "instructions.",
     .boundaries = REASSEMBLED,
     .flush = "the ATA command FLUSH CACHE"},
    {.name = "ide-dma",
     .disk = ",via=ide",
     .guest = "ide-dma",
     .line = "14",
     .at = AT_OPERATION,
     .what = "The same IDE disk with its bus master: registers say where the data is, and the "
             "controller moves it.",
     .boundaries = REASSEMBLED,
     .flush = "the ATA command FLUSH CACHE"},
    {.name = "hypercall",
     .disk = ",via=hypercall",
     .guest = "hypercall",
     .at = AT_DRIVER,
     .what = "One call with all that a request is: where, which direction, which buffer, what to "
             "do, which device. It comes back when the request has ended.",
     .boundaries = WHOLE,
     .flush = "a command of its own"},
    {.name = "batch",
     .disk = ",via=hypercall",
     .guest = "batch",
     .queue = true,
     .at = AT_DRIVER,
     .what = "One call for an array of such requests.",
     .boundaries = WHOLE,
     .flush = "a command of its own"},
    {.name = "ring",
     .disk = ",via=hypercall",
     .guest = "ring",
     .line = "6",
     .queue = true,
     .at = AT_DRIVER,
     .what = "The same requests in a ring in shared memory; a call only when the hypervisor waits "
             "for one, an interrupt only when the guest does.",
     .boundaries = WHOLE,
     .flush = "a command of its own"},
    {.name = "ring-polled",
     .disk = ",via=hypercall",
     .guest = "ring-polled",
     .polled = true,
     .queue = true,
     .at = AT_DRIVER,
     .what = "The ring with both sides looking: the guest for ends, the hypervisor for more "
             "requests for a while after a call.",
     .boundaries = WHOLE,
     .flush = "a command of its own"},
    {.name = "virtio-split",
     .disk = ",via=virtio",
     .guest = "virtio-split",
     .queue = true,
     .at = AT_DRIVER,
     .what = "Requests lie in a ring in shared memory, in three areas; one store rings a doorbell "
             "for all that are new.",
     .boundaries = WHOLE,
     .flush = "a request of its own"},
    {.name = "virtio-packed",
     .disk = ",via=virtio,packed",
     .guest = "virtio-packed",
     .queue = true,
     .at = AT_DRIVER,
     .what = "The same with one ring that both sides write.",
     .boundaries = WHOLE,
     .flush = "a request of its own"},
    {.name = "virtio-polled",
     .disk = ",via=virtio",
     .guest = "virtio-split",
     .polled = true,
     .queue = true,
     .at = AT_DRIVER,
     .what = "The split ring again, with the guest looking for what has ended: no interrupts.",
     .boundaries = WHOLE,
     .flush = "a request of its own"},
    {.name = "syscall",
     .disk = "",
     .guest = "syscall",
     .program = PROGRAM_64,
     .polled = true,
     .at = AT_SYSCALL,
     .what =
         "No guest kernel: a Linux program's own calls, pread64, pwrite64 and fsync on the disk "
         "as a file, by SYSCALL (viaduct exec).",
     .boundaries = OWN_CALLS,
     .process = "the program that calls, and where it stands",
     .file = "the path it opened, offset and length",
     .flush = "fsync, as the program says it"},
    {.name = "syscall-i386",
     .disk = "",
     .guest = "syscall",
     .program = PROGRAM_32,
     .polled = true,
     .at = AT_SYSCALL,
     .what = "The same program for the other ABI: other numbers, words of 32 bits, INT 0x80.",
     .boundaries = OWN_CALLS,
     .process = "the program that calls, and where it stands",
     .file = "the path it opened, offset and length",
     .flush = "fsync, as the program says it"},
};
const unsigned compare_ways_count = ARRAY_LEN(compare_ways);
_Static_assert(ARRAY_LEN(compare_ways) <= COMPARE_WAYS_MAX, "room for all ways");

/* The ledger sees all interrupts only if the local APICs are in user space. */
const struct compare_engine compare_engines[] = {
    {"dbt", "dbt", "auto", "binary translation, x86 to x86"},
    {"kvm", "kvm", "user", "the processor's virtualization, interrupt controllers in user space"},
    {"kvm-split", "kvm", "split",
     "the same with local APICs in the kernel, whose traps the ledger does not see"},
    {"direct", "direct", "auto", "guest code in user mode, 32 bits"},
};
const unsigned compare_engines_count = ARRAY_LEN(compare_engines);

/* Works, works slowly, or doesn't; kvm is asked once. */
static void engine_ask(struct compare *c, unsigned i)
{
    const struct compare_engine *e = &compare_engines[i];
    struct error why = {0};
    int code;

    if (i && e->engine == compare_engines[i - 1].engine && c->o.engines & 1u << (i - 1)) {
        c->engine[i] = c->engine[i - 1];
    } else {
        code = run_engine_named(e->engine)->probe(&why);
        c->engine[i].there = !code || code == -EAGAIN;
        snprintf(c->engine[i].why, sizeof(c->engine[i].why), "%.399s", why.text);
    }
    if (!c->engine[i].there || strcmp(e->irqchip, "split"))
        return;
    why.text[0] = 0;
    code = run_engine_named(e->engine)->apics_probe(&why);
    c->engine[i].there = !code || code == -EAGAIN;
    if (why.text[0])
        snprintf(c->engine[i].why, sizeof(c->engine[i].why), "%.399s", why.text);
}

static int cell_add(struct compare *c, unsigned way, unsigned engine, unsigned depth,
                    struct error *err)
{
    struct cell *cell = &c->cell[c->cells];

    if (c->cells == COMPARE_CELLS_MAX)
        return error_set(err, -EINVAL, "more than %d measurements; name fewer ways or depths",
                         COMPARE_CELLS_MAX);
    cell->way = &compare_ways[way];
    cell->engine = &compare_engines[engine];
    cell->depth = depth;
    c->cells++;
    return 0;
}

/* A controller without a queue has one request at a time, whatever depth was asked for. */
int compare_plan(struct compare *c, struct error *err)
{
    int code = 0;

    for (unsigned e = 0; e < compare_engines_count && !code; e++) {
        if (!(c->o.engines & 1u << e))
            continue;
        engine_ask(c, e);
        for (unsigned w = 0; w < compare_ways_count && c->engine[e].there && !code; w++) {
            if (!(c->o.ways & 1u << w))
                continue;
            if (!compare_ways[w].queue)
                code = cell_add(c, w, e, 1, err);
            for (unsigned d = 0; d < c->o.depths && compare_ways[w].queue && !code; d++)
                code = cell_add(c, w, e, c->o.depth[d], err);
        }
    }
    return code;
}
