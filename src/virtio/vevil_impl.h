/* Shared by vevil.c (draws, log, kicks, configuration) and vq_evil.c (rings). */
#ifndef VIRTIO_VEVIL_IMPL_H
#define VIRTIO_VEVIL_IMPL_H

#include "virtio/vevil.h"
#include "virtio/virtio.h"

struct ledger;
struct ledger_row;

#define VEVIL_HELD 8 /* completions held back at a time */

struct vevil {
    struct virtio *v;
    struct ledger *ledger;
    uint32_t rate, kinds;
    uint64_t random;  /* the generator's state */
    uint64_t chances; /* draws so far: the time of the log */
    struct ledger_row *row[VEVIL_KINDS];
    struct log_budget log;
    struct loop_timer timer; /* to release what is held */
    struct {
        uint16_t queue, head;
        uint32_t written;
    } held[VEVIL_HELD];
    unsigned helds;
};

/* A chance for these kinds: the one to do now, or VEVIL_KINDS. */
enum vevil_kind vevil_draw(struct vevil *e, uint32_t kinds);
uint64_t vevil_random(struct vevil *e);
void vevil_tell(struct vevil *e, enum vevil_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static inline uint32_t vevil_bit(enum vevil_kind kind)
{
    return 1u << kind;
}

#endif
