/* Private to e1000*.c: registers by the manual's names, the state, who calls whom. */
#ifndef DEV_E1000_IMPL_H
#define DEV_E1000_IMPL_H

#include "back/net.h"
#include "bus/pci_cap.h"
#include "dev/e1000.h"
#include "dev/e1000_regs.h"

#define E1000_WORDS                                                                                \
    (0xa000 / 4)         /* registers end below; the packet buffer window is not modelled          \
                          */
#define E1000_EEPROM  64 /* words */
#define E1000_PHY     32
#define E1000_TX_ROOM (NET_FRAME_MAX + 16384u) /* a frame as it is gathered */
#define E1000_WIRE    16384u                   /* what the receiver's FIFO can hold of one frame */

struct e1000_ctx { /* a context descriptor as it was taken */
    uint8_t ipcss, ipcso, tucss, tucso;
    uint16_t ipcse, tucse, mss;
    uint8_t tucmd, hdrlen;
};

struct e1000_tx {
    struct e1000_ctx ctx[2]; /* for frames with checksums only, for segmentation */
    uint8_t buf[E1000_TX_ROOM];
    uint32_t len;   /* gathered so far */
    uint32_t segs;  /* of this frame, sent already */
    bool begun;     /* the frame's first descriptor is gone by; what follows is from it */
    bool bad;       /* it can't be sent: too long, or its bytes are nowhere */
    bool tse, data; /* data: from data descriptors, else legacy */
    bool ic;        /* legacy: insert a checksum */
    uint8_t popts;
    uint8_t cso, css;
    bool tag, ifcs; /* from the last descriptor */
    uint16_t tci;
};

struct e1000_eeprom { /* the serial part, clocked by EECD */
    uint16_t word[E1000_EEPROM];
    uint16_t in, out; /* shifted in, to be shifted out */
    uint8_t bits;     /* clocked since the start bit, that included */
    uint8_t op, addr;
    bool write_enable;
    bool program; /* a whole write command is in: dropping CS does it */
};

struct e1000_irq {
    uint64_t tx_due, rx_due;   /* when a delayed cause comes true; 0: none */
    uint64_t tx_last, rx_last; /* at the latest, by TADV and RADV */
    uint64_t open;             /* ITR: no interrupt before */
    uint64_t tx_floor;         /* tx_due is not before */
    bool level;
    struct loop_timer timer;
};

struct e1000 {
    struct pci_func pci;
    struct io_region mmio, io;
    struct pci_msi msi;
    struct net *net;
    uint8_t mac[6];
    uint32_t reg[E1000_WORDS];
    uint8_t kind[E1000_WORDS]; /* index into e1000_regs */
    uint16_t phy[E1000_PHY];
    uint32_t io_addr;
    struct e1000_irq irq;
    struct e1000_eeprom ee;
    struct loop_work tx_work; /* the rest of a kick that was too long */
    bool tx_busy;
    bool tx_more; /* it is wanted */
    bool asleep;  /* it was in D3 */
    bool starved; /* a frame was refused since RDT last moved */
    bool rx_new;  /* frames were stored since the last rx_end */
    struct e1000_tx tx;
    uint8_t rx[E1000_WIRE]; /* one received frame, flat */
};

/* One row of the register table: count registers from off, 4 bytes apart. */
struct e1000_reg {
    uint16_t off, count;
    uint32_t mask;  /* plain bits a driver may write */
    uint32_t reset; /* after power-on and, unless keep, after CTRL.RST */
    uint32_t (*read)(struct e1000 *e, unsigned off);            /* NULL: as stored */
    void (*write)(struct e1000 *e, unsigned off, uint32_t val); /* NULL: the mask only */
    bool keep;
};

static inline uint32_t *e1000_at(struct e1000 *e, unsigned off)
{
    return &e->reg[off / 4];
}

static inline uint32_t e1000_get(const struct e1000 *e, unsigned off)
{
    return e->reg[off / 4];
}

/* e1000_table.c */
extern const struct e1000_reg e1000_regs[];
extern const unsigned e1000_reg_count;
void e1000_kinds(struct e1000 *e);
unsigned e1000_alias(unsigned off);

/* e1000.c */
void e1000_ctrl_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_ctrl_ext_write(struct e1000 *e, unsigned off, uint32_t val);
bool e1000_awake(const struct e1000 *e); /* in D0 */

/* e1000_irq.c */
void e1000_irq_timer(void *e);
void e1000_irq_reset(struct e1000 *e);
void e1000_cause(struct e1000 *e, uint32_t causes); /* now */
void e1000_cause_tx(struct e1000 *e, bool delay);
void e1000_cause_rx(struct e1000 *e);
uint32_t e1000_icr_read(struct e1000 *e, unsigned off);
void e1000_icr_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_ics_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_ims_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_imc_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_rdtr_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_irq_state(struct e1000 *e, struct state *st);

/* e1000_eeprom.c */
void e1000_eeprom_init(struct e1000 *e);
void e1000_eeprom_load(struct e1000 *e); /* what the chip takes from it after a reset */
uint32_t e1000_eecd_read(struct e1000 *e, unsigned off);
void e1000_eecd_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_eerd_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_eeprom_state(struct e1000 *e, struct state *st);

/* e1000_phy.c */
void e1000_phy_reset(struct e1000 *e); /* as the PHY's pin does */
void e1000_phy_link(struct e1000 *e);  /* what the cable says may have changed */
bool e1000_phy_loops(const struct e1000 *e);
uint32_t e1000_status_read(struct e1000 *e, unsigned off);
void e1000_mdic_write(struct e1000 *e, unsigned off, uint32_t val);

/* e1000_stats.c */
uint32_t e1000_stat_read(struct e1000 *e, unsigned off);
void e1000_stat(struct e1000 *e, unsigned off);                       /* one more */
void e1000_stat_add64(struct e1000 *e, unsigned low, uint32_t bytes); /* low and high register */
void e1000_stat_sent(struct e1000 *e, const uint8_t *frame, uint32_t len);
void e1000_stat_received(struct e1000 *e, const uint8_t *frame, uint32_t len);

/* e1000_filter.c */
enum e1000_pass { E1000_DROP, E1000_EXACT, E1000_INEXACT };
enum e1000_pass e1000_filter(struct e1000 *e, const uint8_t *frame, uint32_t len);
bool e1000_tagged(const struct e1000 *e, const uint8_t *frame, uint32_t len);
void e1000_ra_write(struct e1000 *e, unsigned off, uint32_t val);

/* e1000_sum.c: what the receiver finds out about checksums */
struct e1000_rx_sums {
    uint16_t packet;        /* the descriptor's checksum field */
    uint8_t status, errors; /* bits of the descriptor */
};
void e1000_rx_sums(const struct e1000 *e, const uint8_t *frame, uint32_t len,
                   struct e1000_rx_sums *out);

/* e1000_tx.c, e1000_seg.c */
void e1000_tx_room(void *front); /* the backend takes frames again */
bool e1000_loops(const struct e1000 *e);
void e1000_tdt_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_tctl_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_tx_init(struct e1000 *e);
void e1000_tx_stop(struct e1000 *e);
void e1000_tx_state(struct e1000 *e, struct state *st);
bool e1000_seg_drain(struct e1000 *e);
void e1000_frame_end(struct e1000 *e);

/* e1000_rx.c */
bool e1000_recv(void *front, const struct net_frame *f);
void e1000_recv_end(void *front);
void e1000_loop_back(struct e1000 *e, const struct net_frame *f);
void e1000_rdt_write(struct e1000 *e, unsigned off, uint32_t val);
void e1000_rctl_write(struct e1000 *e, unsigned off, uint32_t val);

#endif
