/*
 * 16550A UART, after the National Semiconductor PC16550D data sheet, section 8 (registers).
 * Two differences a driver can't object to: a byte takes no time on the wire, so the transmitter
 * is always empty; and the receive time-out interrupt comes at once, not after four characters'
 * time. Parity, framing and break errors never happen; DMA mode is plain storage.
 */
#include "dev/uart16550.h"
#include "back/chr.h"
#include "bus/bus.h"
#include "core/state.h"
#include <errno.h>
#include <stdlib.h>

enum {
    RBR = 0,
    THR = 0,
    DLL = 0,
    IER = 1,
    DLM = 1,
    IIR = 2,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7,
    PORTS = 8
};
enum { IER_RDA = 1, IER_THRE = 2, IER_RLS = 4, IER_MS = 8, IER_ALL = 15 };
enum {
    IIR_NONE = 1,
    IIR_MS = 0,
    IIR_THRE = 2,
    IIR_RDA = 4,
    IIR_RLS = 6,
    IIR_TIMEOUT = 12,
    IIR_FIFOS = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_ALL = 31 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum {
    MSR_DELTAS = 0x0f,
    MSR_TERI = 4,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80
};
#define FIFO 16u

struct uart16550 {
    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    uint8_t fifo[FIFO], head, count; /* received */
    bool overrun, thre;              /* thre: the transmitter-empty interrupt is due */
    struct dev_env env;
    struct chr *chr;
    struct io_region ports;
};

static bool fifos(const struct uart16550 *u)
{
    return u->fcr & FCR_ENABLE;
}

static unsigned room(const struct uart16550 *u)
{
    return (fifos(u) ? FIFO : 1) - u->count;
}

static unsigned trigger(const struct uart16550 *u)
{
    static const uint8_t level[] = {1, 4, 8, 14};

    return fifos(u) ? level[u->fcr >> 6] : 1;
}

/* ---- interrupt: the highest of the pending ones, data sheet table "Interrupt Control" ---- */

static uint8_t iir(const struct uart16550 *u)
{
    if ((u->ier & IER_RLS) && u->overrun)
        return IIR_RLS;
    if ((u->ier & IER_RDA) && u->count >= trigger(u))
        return IIR_RDA;
    if ((u->ier & IER_RDA) && u->count)
        return IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre)
        return IIR_THRE;
    if ((u->ier & IER_MS) && (u->msr & MSR_DELTAS))
        return IIR_MS;
    return IIR_NONE;
}

/* On a PC, OUT2 opens the gate between INTR and the bus; in loopback the pin is off. */
static void uart_irq(struct uart16550 *u)
{
    irq_set(&u->env.irq, iir(u) != IIR_NONE && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP));
}

/* ---- receiving ---- */

static void receive(struct uart16550 *u, uint8_t byte)
{
    if (room(u)) {
        u->fifo[(u->head + u->count++) % FIFO] = byte;
    } else {
        u->overrun = true;
        if (!fifos(u)) /* the holding register is overwritten, a FIFO is not */
            u->fifo[u->head] = byte;
    }
}

static uint8_t rbr_read(struct uart16550 *u)
{
    uint8_t byte = u->fifo[u->head];

    if (!u->count)
        return 0;
    u->head = (uint8_t)((u->head + 1u) % FIFO);
    if (--u->count == 0 && u->chr && !(u->mcr & MCR_LOOP))
        chr_ready(u->chr);
    return byte;
}

static void rx_clear(struct uart16550 *u)
{
    bool had = u->count;

    u->head = u->count = 0;
    if (had && u->chr)
        chr_ready(u->chr);
}

static size_t uart_room(void *front)
{
    const struct uart16550 *u = front;

    return u->mcr & MCR_LOOP ? 0 : room(u); /* in loopback the input pin is cut off */
}

static void uart_recv(void *front, const uint8_t *buf, size_t len)
{
    struct uart16550 *u = front;

    for (size_t i = 0; i < len; i++)
        receive(u, buf[i]);
    uart_irq(u);
}

/* ---- modem control and status ---- */

static uint8_t msr_lines(const struct uart16550 *u)
{
    if (!(u->mcr & MCR_LOOP))
        return u->chr ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
    return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* The delta bits are the changed status bits, four lower; of RI only the trailing edge counts. */
static void msr_update(struct uart16550 *u)
{
    uint8_t now = msr_lines(u), changed = (u->msr ^ now) & 0xf0;

    if (now & MSR_RI)
        changed &= (uint8_t)~MSR_RI;
    u->msr = (uint8_t)(now | (u->msr & MSR_DELTAS) | changed >> 4);
}

static void mcr_write(struct uart16550 *u, uint8_t val)
{
    bool was = u->mcr & MCR_LOOP;

    u->mcr = val & MCR_ALL;
    msr_update(u);
    if (was && !(u->mcr & MCR_LOOP) && u->chr)
        chr_ready(u->chr);
}

/* ---- registers ---- */

static void thr_write(struct uart16550 *u, uint8_t byte)
{
    if (u->mcr & MCR_LOOP)
        receive(u, byte);
    else if (u->chr)
        chr_send(u->chr, &byte, 1); /* buffered there: no system call a byte */
    u->thre = true;
}

static void fcr_write(struct uart16550 *u, uint8_t val)
{
    bool toggled = (u->fcr ^ val) & FCR_ENABLE;

    u->fcr = val & FCR_ENABLE ? val & FCR_KEPT : 0; /* without bit 0 the others do nothing */
    if (toggled || (val & FCR_CLEAR_RX))
        rx_clear(u);
    if (toggled || (val & FCR_CLEAR_TX))
        u->thre = true;
}

static void ier_write(struct uart16550 *u, uint8_t val)
{
    /* Enabling with the transmitter empty raises the interrupt: drivers start and probe so. */
    if (!(u->ier & IER_THRE) && (val & IER_THRE))
        u->thre = true;
    u->ier = val & IER_ALL;
}

static void uart_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct uart16550 *u = dev;
    uint8_t v = (uint8_t)val;

    (void)size;
    if (off <= DLM && (u->lcr & LCR_DLAB)) {
        *(off == DLL ? &u->dll : &u->dlm) = v;
        return;
    }
    switch (off) {
    case THR: thr_write(u, v); break;
    case IER: ier_write(u, v); break;
    case FCR: fcr_write(u, v); break;
    case LCR: u->lcr = v; break;
    case MCR: mcr_write(u, v); break;
    case SCR: u->scr = v; break;
    default: break; /* LSR and MSR: the data sheet's factory test, nothing here */
    }
    uart_irq(u);
}

static uint8_t iir_read(struct uart16550 *u)
{
    uint8_t val = iir(u);

    if (val == IIR_THRE)
        u->thre = false;
    return (uint8_t)(val | (fifos(u) ? IIR_FIFOS : 0));
}

static uint8_t lsr_read(struct uart16550 *u)
{
    uint8_t val =
        (uint8_t)(LSR_THRE | LSR_TEMT | (u->count ? LSR_DR : 0) | (u->overrun ? LSR_OE : 0));

    u->overrun = false;
    return val;
}

static uint8_t msr_read(struct uart16550 *u)
{
    uint8_t val = u->msr;

    u->msr &= (uint8_t)~MSR_DELTAS;
    return val;
}

static uint8_t register_read(struct uart16550 *u, uint64_t off)
{
    if (off <= DLM && (u->lcr & LCR_DLAB))
        return off == DLL ? u->dll : u->dlm;
    switch (off) {
    case RBR: return rbr_read(u);
    case IER: return u->ier;
    case IIR: return iir_read(u);
    case LCR: return u->lcr;
    case MCR: return u->mcr;
    case LSR: return lsr_read(u);
    case MSR: return msr_read(u);
    default: return u->scr;
    }
}

static uint64_t uart_read(void *dev, uint64_t off, unsigned size)
{
    struct uart16550 *u = dev;
    uint8_t val = register_read(u, off);

    (void)size;
    uart_irq(u);
    return val;
}

static const struct io_ops uart_ops = {
    .read = uart_read, .write = uart_write, .sizes = 1, .split = true};

/* ---- state, reset, create ---- */

static void uart_state(void *dev, struct state *st)
{
    struct uart16550 *u = dev;

    state_section(st, "uart16550", 1);
    state_u8(st, &u->ier);
    state_u8(st, &u->fcr);
    state_u8(st, &u->lcr);
    state_u8(st, &u->mcr);
    state_u8(st, &u->msr);
    state_u8(st, &u->scr);
    state_u8(st, &u->dll);
    state_u8(st, &u->dlm);
    state_bytes(st, u->fifo, sizeof(u->fifo));
    state_u8(st, &u->head);
    state_u8(st, &u->count);
    state_bool(st, &u->overrun);
    state_bool(st, &u->thre);
    u->ier &= IER_ALL;
    u->fcr = u->fcr & FCR_ENABLE ? u->fcr & FCR_KEPT : 0;
    u->mcr &= MCR_ALL;
    if (!state_check(st, u->head < FIFO && u->count <= (fifos(u) ? FIFO : 1)))
        u->head = u->count = 0;
    if (st->load)
        uart_irq(u);
}

static void uart_reset(void *dev)
{
    struct uart16550 *u = dev;

    u->ier = u->fcr = u->lcr = u->mcr = u->scr = u->dll = u->dlm = 0;
    u->overrun = false;
    u->thre = true;
    u->msr = msr_lines(u);
    rx_clear(u);
    uart_irq(u);
}

static void uart_destroy(void *dev)
{
    struct uart16550 *u = dev;

    bus_unmap(u->env.bus, &u->ports);
    if (u->chr && u->chr->front == u) {
        u->chr->front = NULL;
        u->chr->room = NULL;
        u->chr->recv = NULL;
    }
    free(u);
}

int uart16550_create(struct uart16550 **out, const struct dev_env *env, uint64_t base,
                     struct chr *chr)
{
    struct uart16550 *u = calloc(1, sizeof(*u));
    int err;

    if (!u)
        return -ENOMEM;
    u->env = *env;
    u->chr = chr;
    u->ports = (struct io_region){.name = env->name,
                                  .ops = &uart_ops,
                                  .dev = u,
                                  .lock = env->lock,
                                  .space = BUS_PIO,
                                  .base = base,
                                  .len = PORTS};
    err = bus_map(env->bus, &u->ports);
    if (err) {
        free(u);
        return err;
    }
    if (chr) {
        chr->front = u;
        chr->room = uart_room;
        chr->recv = uart_recv;
    }
    uart_reset(u);
    *out = u;
    return 0;
}

const struct dev_class uart16550_class = {
    .name = "uart16550",
    .summary = "16550A serial port",
    .reset = uart_reset,
    .state = uart_state,
    .destroy = uart_destroy,
};
