/*
 * An IDE driver for the first channel's first drive (ATA/ATAPI-6, and "Programming Interface for
 * Bus Master IDE Controller" 1.0), as short as the interface allows: 28-bit addresses, and no
 * register written that holds its value already. By DMA one table entry a request; by PIO blocks of
 * up to 16 sectors (READ and WRITE MULTIPLE), each moved by one string instruction.
 */
#include "work.h"

#define SECTORS_A_BLOCK 16u
#define SPINS           1000000000u

enum { DATA, ERROR, COUNT, LBA0, LBA1, LBA2, DEVICE, STATUS }; /* command block; STATUS: command */
enum { BUSY = 0x80, FAULT = 0x20, DRQ = 0x08, FAILED = 0x01 };
enum {
    READ_DMA = 0xc8,
    WRITE_DMA = 0xca,
    READ_MULTIPLE = 0xc4,
    WRITE_MULTIPLE = 0xc5,
    SET_MULTIPLE = 0xc6,
    FLUSH = 0xe7
};
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
enum { BM_START = 1, BM_TO_MEM = 8 };
enum { BM_INTR = 4, BM_ERROR = 2, BM_ACTIVE = 1 };
enum { NIEN = 2 };
#define PRD_LAST 0x80000000u

static bool dma;
static struct req *running;
static unsigned moved; /* sectors, by PIO */
static volatile bool rung;
static volatile uint8_t drive_status, bm_status;
static uint32_t prd[2] __attribute__((aligned(8)));

static uint8_t reg_get(unsigned reg)
{
    return inb((uint16_t)(MAP_IDE1_CMD + reg));
}

static void reg_set(unsigned reg, uint8_t v)
{
    outb((uint16_t)(MAP_IDE1_CMD + reg), v);
}

static void look(void)
{
    if (dma && running && !running->flush)
        bm_status = inb(MAP_IDE_BM + BM_STATUS);
    drive_status = reg_get(STATUS);
}

static void on_irq(void)
{
    look();
    rung = true;
}

static bool ide_open(void)
{
    unsigned i;

    reg_set(DEVICE, 0xe0); /* the first drive, LBA */
    for (i = 0; i < SPINS && reg_get(STATUS) & BUSY; i++)
        ;
    outb(MAP_IDE1_CTL, NIEN);
    reg_set(COUNT, SECTORS_A_BLOCK);
    reg_set(STATUS, SET_MULTIPLE);
    for (i = 0; i < SPINS && reg_get(STATUS) & BUSY; i++)
        ;
    if (reg_get(STATUS) & FAILED)
        return false;
    if (dma) /* bus master on, in the PCI command register of 00:01.0 or .1 */
        for (unsigned fn = 0; fn < 8; fn++) {
            outl(MAP_PCI_CONFIG, 0x80000000u | 1u << 11 | fn << 8 | 4);
            if (inw(MAP_PCI_CONFIG + 4) != 0xffff)
                outw(MAP_PCI_CONFIG + 4, 7);
        }
    if (polled)
        return true;
    disk_irq_init(on_irq);
    disk_irq_pin(MAP_IRQ_IDE1, false);
    outb(MAP_IDE1_CTL, 0);
    return true;
}

static bool open_pio(void)
{
    dma = false;
    return ide_open();
}

static bool open_dma(void)
{
    dma = true;
    return ide_open();
}

static void block_move(struct req *r)
{
    unsigned left = r->sectors - moved, n = left < SECTORS_A_BLOCK ? left : SECTORS_A_BLOCK;
    uint8_t *at = r->buf + moved * SECTOR;
    word words = n * SECTOR / 4;

    if (r->write)
        asm volatile("rep outsl" : "+S"(at), "+c"(words) : "d"(MAP_IDE1_CMD + DATA) : "memory");
    else
        asm volatile("rep insl" : "+D"(at), "+c"(words) : "d"(MAP_IDE1_CMD + DATA) : "memory");
    moved += n;
}

/* The address, and the command that goes with it. */
static void command(struct req *r, uint8_t read, uint8_t write)
{
    reg_set(COUNT, (uint8_t)r->sectors);
    reg_set(LBA0, (uint8_t)r->sector);
    reg_set(LBA1, (uint8_t)(r->sector >> 8));
    reg_set(LBA2, (uint8_t)(r->sector >> 16));
    reg_set(DEVICE, 0xe0 | (r->sector >> 24 & 15));
    reg_set(STATUS, r->write ? write : read);
}

static void submit_dma(struct req *r)
{
    prd[0] = (uint32_t)(uintptr_t)r->buf;
    prd[1] = (r->sectors * SECTOR & 0xffff) | PRD_LAST;
    outl(MAP_IDE_BM + BM_TABLE, (uint32_t)(uintptr_t)prd);
    outb(MAP_IDE_BM + BM_COMMAND, r->write ? 0 : BM_TO_MEM);
    command(r, READ_DMA, WRITE_DMA);
    outb(MAP_IDE_BM + BM_COMMAND, (uint8_t)(BM_START | (r->write ? 0 : BM_TO_MEM)));
}

static void submit_pio(struct req *r)
{
    moved = 0;
    command(r, READ_MULTIPLE, WRITE_MULTIPLE);
    if (!r->write)
        return;
    for (unsigned i = 0; i < SPINS && !(reg_get(STATUS) & (DRQ | FAILED)); i++)
        ; /* the first block is not announced */
    block_move(r);
}

static void submit(struct req *r)
{
    running = r;
    rung = false;
    bm_status = 0;
    if (r->flush)
        reg_set(STATUS, FLUSH);
    else if (dma)
        submit_dma(r);
    else
        submit_pio(r);
}

/* By PIO a request has as many announcements as blocks. */
static bool more_blocks(struct req *r)
{
    if (!(drive_status & DRQ) || dma || moved == r->sectors)
        return false;
    block_move(r);
    return r->write || moved < r->sectors;
}

static struct req *reap(void)
{
    struct req *r = running;

    if (!r)
        return NULL;
    if (polled)
        look();
    else if (!rung)
        return NULL;
    rung = false;
    if ((drive_status & BUSY) || (!r->flush && more_blocks(r)))
        return NULL;
    r->failed = drive_status & (FAILED | FAULT);
    if (dma && !r->flush) {
        if ((bm_status & (BM_ACTIVE | BM_ERROR)) == BM_ACTIVE && !r->failed)
            return NULL;
        outb(MAP_IDE_BM + BM_COMMAND, 0);
        if (!polled) /* without the interrupt there is nothing to clear */
            outb(MAP_IDE_BM + BM_STATUS, BM_INTR | BM_ERROR);
        r->failed |= bm_status & BM_ERROR;
    }
    running = NULL;
    return r;
}

const struct way way_ide_pio = {"ide-pio", 1, open_pio, submit, NULL, reap};
const struct way way_ide_dma = {"ide-dma", 1, open_dma, submit, NULL, reap};
