/*
 * The serial EEPROM beside the 82540EM, 64 words in a 93C46-like part: manual chapter 5 (what the
 * words mean), 13.4.3 (EECD: the part's four pins), 13.4.4 (EERD: one word, read by the chip). The
 * part takes a start bit, an opcode of two bits and an address of six, most significant bit first,
 * on rising edges of SK while CS is high. A write is done when CS falls, if EWEN allowed it, and
 * takes no time here. Its words survive resets.
 */
#include "core/state.h"
#include "dev/e1000_impl.h"

#include <string.h>

#define SUM_AT   0x3f
#define SUM      0xbaba
#define CMD_BITS 9  /* start, opcode, address */
#define ALL_BITS 25 /* and a word */

enum { OP_SPECIAL, OP_WRITE, OP_READ, OP_ERASE };
enum { SPECIAL_EWDS, SPECIAL_WRAL, SPECIAL_ERAL, SPECIAL_EWEN }; /* the address's upper two bits */

static void word_fill(struct e1000_eeprom *ee)
{
    static const struct {
        uint8_t at;
        uint16_t val;
    } words[] = {
        {0x03, 0x0000}, /* compatibility */
        {0x08, 0xffff}, /* printed board assembly: */
        {0x09, 0xffff}, /* none */
        {0x0a, 0x640b}, /* initialization control 1: valid, 32-bit BARs, IDs and power management */
        {0x0b, 0x001e}, /* subsystem */
        {0x0c, 0x8086}, /* its vendor */
        {0x0d, 0x100e}, /* device */
        {0x0e, 0x8086}, /* vendor */
        {0x0f, 0x3040}, /* initialization control 2: PHY automatic speed sense, 48 KiB receive */
        {0x10, 0x0008}, /* pins */
        {0x20, 0x0000}, /* no ASF */
        {0x21, 0x7863}, /* software defined pins, circuit control */
        {0x22, 0x280c}, /* power consumption: D0 */
        {0x23, 0x00c8}, /* D3 */
        {0x24, 0x0000}, /* initialization control 3: no wake-up by power-on default */
        {0x2f, 0x0602}, /* LEDs */
    };

    memset(ee->word, 0xff, sizeof(ee->word));
    for (unsigned i = 4; i < 8; i++)
        ee->word[i] = 0xffff;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        ee->word[words[i].at] = words[i].val;
}

void e1000_eeprom_init(struct e1000 *e)
{
    struct e1000_eeprom *ee = &e->ee;
    uint16_t sum = 0;

    word_fill(ee);
    for (unsigned i = 0; i < 3; i++)
        ee->word[i] = le16_get(e->mac + 2 * i);
    for (unsigned i = 0; i < SUM_AT; i++)
        sum = (uint16_t)(sum + ee->word[i]);
    ee->word[SUM_AT] = (uint16_t)(SUM - sum);
}

/* The chip's own use of it: the first receive address. */
void e1000_eeprom_load(struct e1000 *e)
{
    const uint16_t *w = e->ee.word;

    *e1000_at(e, RAL) = w[0] | (uint32_t)w[1] << 16;
    *e1000_at(e, RAH) = w[2] | RAH_AV;
}

void e1000_eerd_write(struct e1000 *e, unsigned off, uint32_t val)
{
    unsigned addr = val >> 8 & 0xff;

    if (!(val & EERD_START))
        return;
    *e1000_at(e, off) = (addr < E1000_EEPROM ? (uint32_t)e->ee.word[addr] << 16 : 0xffff0000u) |
                        (val & 0xff00) | EERD_DONE;
}

/* ---- the part's pins ---- */

static void command(struct e1000_eeprom *ee)
{
    ee->op = ee->in >> 6 & 3;
    ee->addr = ee->in & 63;
    if (ee->op == OP_READ)
        ee->out = ee->word[ee->addr];
    else if (ee->op == OP_SPECIAL && ee->addr >> 4 == SPECIAL_EWEN)
        ee->write_enable = true;
    else if (ee->op == OP_SPECIAL && ee->addr >> 4 == SPECIAL_EWDS)
        ee->write_enable = false;
    else if (ee->op == OP_ERASE || (ee->op == OP_SPECIAL && ee->addr >> 4 == SPECIAL_ERAL))
        ee->program = true;
    ee->in = 0;
}

/* Reading goes on into the next words for as long as it is clocked. */
static bool read_bit(struct e1000_eeprom *ee)
{
    bool bit = ee->out >> 15;

    ee->out = (uint16_t)(ee->out << 1);
    if (++ee->bits == ALL_BITS) {
        ee->addr = (ee->addr + 1) & 63;
        ee->out = ee->word[ee->addr];
        ee->bits = CMD_BITS;
    }
    return bit;
}

/* One rising edge; returns what the part puts on DO. */
static bool edge(struct e1000_eeprom *ee, bool di)
{
    if (!ee->bits) {
        ee->bits = di; /* the start bit */
        return true;
    }
    if (ee->bits >= CMD_BITS && ee->op == OP_READ)
        return read_bit(ee);
    if (ee->bits >= ALL_BITS)
        return true;
    ee->in = (uint16_t)(ee->in << 1 | di);
    if (++ee->bits == CMD_BITS)
        command(ee);
    else if (ee->bits == ALL_BITS)
        ee->program = ee->op == OP_WRITE || (ee->op == OP_SPECIAL && ee->addr >> 4 == SPECIAL_WRAL);
    return !(ee->bits == CMD_BITS && ee->op == OP_READ); /* data follow a zero */
}

static void program(struct e1000_eeprom *ee)
{
    bool all = ee->op == OP_SPECIAL;
    bool erase = ee->op == OP_ERASE || (all && ee->addr >> 4 == SPECIAL_ERAL);

    if (!ee->write_enable)
        return;
    for (unsigned i = 0; i < E1000_EEPROM; i++)
        if (all || i == ee->addr)
            ee->word[i] = erase ? 0xffff : ee->in;
}

static void deselect(struct e1000_eeprom *ee)
{
    if (ee->program)
        program(ee);
    ee->program = false;
    ee->bits = 0;
    ee->in = 0;
}

uint32_t e1000_eecd_read(struct e1000 *e, unsigned off)
{
    uint32_t val = e1000_get(e, off);

    return val | EECD_PRES | (val & EECD_REQ ? EECD_GNT : 0);
}

/* The pins follow software only while it has asked for them. */
void e1000_eecd_write(struct e1000 *e, unsigned off, uint32_t val)
{
    uint32_t was = e1000_get(e, off), out = was & EECD_DO;

    val &= EECD_REQ | EECD_FWE | EECD_SK | EECD_CS | EECD_DI;
    if (!(val & EECD_REQ))
        val &= ~(EECD_SK | EECD_CS | EECD_DI);
    if (!(val & EECD_CS)) {
        deselect(&e->ee);
        out = EECD_DO; /* ready */
    } else if ((val & EECD_SK) && !(was & EECD_SK)) {
        out = edge(&e->ee, val & EECD_DI) ? EECD_DO : 0;
    }
    *e1000_at(e, off) = val | out;
}

void e1000_eeprom_state(struct e1000 *e, struct state *st)
{
    struct e1000_eeprom *ee = &e->ee;

    for (unsigned i = 0; i < E1000_EEPROM; i++)
        state_u16(st, &ee->word[i]);
    state_u16(st, &ee->in);
    state_u16(st, &ee->out);
    state_u8(st, &ee->bits);
    state_u8(st, &ee->op);
    state_u8(st, &ee->addr);
    if (!state_check(st, ee->addr < E1000_EEPROM && ee->bits <= ALL_BITS))
        ee->addr = ee->bits = 0;
    state_bool(st, &ee->write_enable);
    state_bool(st, &ee->program);
}
