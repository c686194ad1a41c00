/* Shared by the files of the virtio driver: vio.c is the device, vsplit.c and vpacked.c its rings.
 */
#ifndef VIO_H
#define VIO_H

#include "work.h"

#define RING       256u /* entries; three descriptors a request of up to DEPTH_MAX */
#define VIO_PACKED (1ull << 34)

struct vio_slot { /* what a request has besides its data: VIRTIO 1.2, section 5.2.6 */
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
    struct req *req;
};
extern struct vio_slot vio_slot[DEPTH_MAX];
extern bool vio_event_idx;

struct ring_area { /* what goes into the queue's three addresses */
    void *desc, *driver, *device;
};

bool vio_open(uint64_t layout, struct ring_area a); /* finds it, takes features, starts queue 0 */
void vio_fill(struct req *r);                       /* the slot's header */
void vio_kick(void);                                /* rings the doorbell */
struct req *vio_ended(unsigned slot);
bool vio_broken(void); /* the device says that it needs a reset, which vio_open is */

#ifdef __x86_64__
#define STACK "rsp"
#else
#define STACK "esp"
#endif

static inline uint16_t load16(const volatile uint16_t *p)
{
    return *p;
}

#endif
