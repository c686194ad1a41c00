/* Shared by the files of the console: its ports, and what the control queue knows of them. */
#ifndef VIRTIO_VCON_IMPL_H
#define VIRTIO_VCON_IMPL_H

#include "back/chr.h"
#include "virtio/vcon.h"
#include "virtio/vport.h"

enum { /* 5.3.3 */
       VIRTIO_CONSOLE_F_SIZE = 0,
       VIRTIO_CONSOLE_F_MULTIPORT = 1,
       VIRTIO_CONSOLE_F_EMERG_WRITE = 2,
};

#define VCON_PORTS (1 + VCON_NAMED)

/* 5.3.2: the control queues are the second pair; the ports' pairs stand around them. */
enum { VCON_CTRL_RX = 2, VCON_CTRL_TX = 3 };

enum vcon_say { /* what the guest is still to be told of a port, a bit each, in this order */
                VCON_SAY_REMOVE = 1,
                VCON_SAY_ADD = 2,
                VCON_SAY_CONSOLE = 4,
                VCON_SAY_NAME = 8,
                VCON_SAY_RESIZE = 16,
                VCON_SAY_OPEN = 32,
                VCON_SAY_ALL = 63,
};

struct vcon_port {
    struct vcon *d;
    struct chr *chr;  /* NULL: port 0 of a device that has no console */
    const char *name; /* NULL: the console */
    unsigned id;
    bool plugged;  /* as the user wants it */
    bool there;    /* the guest was told that it is */
    bool ready;    /* the guest has set it up */
    bool open;     /* a program of the guest has it open */
    uint8_t say;   /* enum vcon_say */
    bool lossy;    /* console: nobody reads, output is lost */
    uint64_t sent; /* bytes of the oldest chain that have gone already */
    struct loop_timer stall;
    struct ledger_row *row;
};

struct vcon {
    struct vport port;
    struct virtio v;
    unsigned ports;
    struct vcon_port at[VCON_PORTS];
    struct vq_chain chain;
};

static inline unsigned vcon_rx(const struct vcon_port *p)
{
    return p->id ? 2 * p->id + 2 : 0;
}

static inline unsigned vcon_tx(const struct vcon_port *p)
{
    return vcon_rx(p) + 1;
}

static inline bool vcon_multiport(const struct vcon *d)
{
    return virtio_has(&d->v, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* vcon_ctrl.c: section 5.3.6.2 */
void vcon_ctrl_notify(struct vcon *d, unsigned queue);
/* The guest is to be told, as soon as it has a buffer for it. */
void vcon_ctrl_say(struct vcon_port *p, unsigned what);

/* vcon_port.c: the bytes of a port */
void vcon_port_send(struct vcon_port *p);  /* out of the guest, as far as there is space */
void vcon_port_ready(struct vcon_port *p); /* the guest may have room for input */
void vcon_port_attach(struct vcon_port *p);
void vcon_port_detach(struct vcon_port *p);
void vcon_port_stop(struct vcon_port *p); /* the driver has gone */
void vcon_port_emergency(struct vcon_port *p, uint8_t byte);

#endif
