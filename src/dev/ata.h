/*
 * An ATA disk drive: its task file, its command set, its data phases (ata.c, ata_cmd.c, ata_id.c).
 * It knows a backend and a host adapter it was handed, no ports and no guest memory.
 */
#ifndef DEV_ATA_H
#define DEV_ATA_H

#include "back/blk.h"
#include "core/types.h"

struct state;

#define ATA_BUF_SECTORS  128u /* what PIO reads ahead and collects */
#define ATA_BUF          (ATA_BUF_SECTORS * BLK_SECTOR)
#define ATA_MULTIPLE_MAX 16u /* sectors a DRQ block of READ/WRITE MULTIPLE, at most */
#define ATA_TRIM_BLOCKS  8u  /* 512-byte blocks of ranges in one DATA SET MANAGEMENT */
#define ATA_SERIAL       20

/* Status register */
#define ATA_BSY  0x80
#define ATA_DRDY 0x40
#define ATA_DF   0x20
#define ATA_DSC  0x10
#define ATA_DRQ  0x08
#define ATA_ERR  0x01

/* Error register */
#define ATA_UNC  0x40
#define ATA_IDNF 0x10
#define ATA_ABRT 0x04

/* Device register */
#define ATA_DEV 0x10
#define ATA_LBA 0x40

enum ata_reg { /* offsets in the command block; reads and writes differ at 1 and 7 */
               ATA_REG_DATA,
               ATA_REG_ERROR, /* write: Features */
               ATA_REG_COUNT,
               ATA_REG_LBA_LOW,
               ATA_REG_LBA_MID,
               ATA_REG_LBA_HIGH,
               ATA_REG_DEVICE,
               ATA_REG_STATUS, /* write: Command */
};

enum ata_phase {
    ATA_READY,   /* waits for a command */
    ATA_WORK,    /* BSY: the backend is at it */
    ATA_PIO_IN,  /* DRQ: the host reads the data register */
    ATA_PIO_OUT, /* DRQ: the host writes it */
    ATA_DMA,     /* DRQ: waits for the bus master */
    ATA_PHASES
};

/* What happens when a backend request ends. */
enum ata_next {
    ATA_NEXT_FINISH, /* the command is complete */
    ATA_NEXT_IN,     /* buffer filled: a DRQ block for the host */
    ATA_NEXT_OUT,    /* buffer written: collect more, or finish */
    ATA_NEXT_VERIFY, /* read the next piece, for nobody */
    ATA_NEXT_DMA,    /* the bus master's piece is moved */
    ATA_NEXT_TRIM,   /* the next range */
};

struct ata_drive;

struct ata_host {                                            /* the adapter; arg is its own */
    void (*irq)(void *arg);                                  /* drive.intrq changed */
    void (*dma_wanted)(void *arg, struct ata_drive *d);      /* phase became ATA_DMA */
    void (*dma_moved)(void *arg, uint32_t bytes, bool more); /* what ata_dma_move was given */
};

struct ata_drive {
    struct blk *blk; /* NULL: no drive at this position */
    const struct ata_host *host;
    void *arg;
    uint8_t serial[ATA_SERIAL];

    /* task file; [1] is the previous value, for 48-bit commands */
    uint8_t feature[2], count[2], lba_reg[3][2];
    uint8_t device, status, error;
    bool intrq;

    /* settings */
    uint8_t multiple, mode; /* 0: not set; transfer mode as in SET FEATURES */
    uint8_t heads, spt;     /* current CHS translation */
    bool write_cache, look_ahead, smart, standby;

    /* the running command, copied when it was written */
    enum ata_phase phase;
    enum ata_next next;
    bool write, trim, cancelled;
    uint64_t lba;
    uint32_t left;           /* sectors (TRIM: 512-byte blocks) still to move */
    uint32_t block;          /* sectors a DRQ block */
    uint32_t piece;          /* sectors of the backend request in flight */
    uint32_t pos, drq, fill; /* in buf: next byte, end of DRQ block, end of data */
    uint32_t range;          /* TRIM: next entry */
    struct blk_req req;
    struct iovec iov;
    uint8_t *buf;
};

/* blk NULL: an empty position. serial: up to 20 characters. 0 or -ENOMEM. */
int ata_init(struct ata_drive *d, struct blk *blk, const char *serial, const struct ata_host *host,
             void *arg);
void ata_free(struct ata_drive *d); /* waits for what is in flight */

uint8_t ata_reg_read(struct ata_drive *d, enum ata_reg reg, bool hob);  /* Status clears intrq */
void ata_reg_write(struct ata_drive *d, enum ata_reg reg, uint8_t val); /* not Command */
bool ata_command(struct ata_drive *d, uint8_t cmd); /* false: dropped, the drive is busy */
bool ata_data_read(struct ata_drive *d, unsigned size, uint32_t *val); /* false: no DRQ */
bool ata_data_write(struct ata_drive *d, unsigned size, uint32_t val);

/* SRST (ata_soft_reset): cancel, wait, signature. Power-on also puts settings back. */
void ata_soft_reset(struct ata_drive *d);
void ata_power_on(struct ata_drive *d);
void ata_signature(struct ata_drive *d);

/* The bus master: how many bytes the drive wants moved now; and the move, of a multiple of 512
 * bytes, between iov and the medium. It ends with host.dma_moved, from the loop or at once. */
uint64_t ata_dma_wants(const struct ata_drive *d);
void ata_dma_move(struct ata_drive *d, struct iovec *iov, int iovs, uint32_t bytes);
void ata_dma_fail(struct ata_drive *d);
bool ata_in_flight(const struct ata_drive *d);

void ata_state(struct ata_drive *d, struct state *st);

/* Between the drive's own files. */
void ata_finish(struct ata_drive *d);
void ata_fail(struct ata_drive *d, uint8_t error);
void ata_fault(struct ata_drive *d, uint8_t error); /* fail, with Device Fault */
void ata_backend(struct ata_drive *d, enum blk_op op, uint32_t sectors, enum ata_next next);
void ata_read_ahead(struct ata_drive *d);
void ata_collect(struct ata_drive *d, bool irq);
void ata_reply(struct ata_drive *d); /* buf holds one sector for the host */
void ata_want_dma(struct ata_drive *d);
void ata_verify(struct ata_drive *d);
void ata_trim_next(struct ata_drive *d);
void ata_execute(struct ata_drive *d, uint8_t cmd);
void ata_identify(const struct ata_drive *d, uint8_t *page);
void ata_smart_data(uint8_t *page);

#endif
