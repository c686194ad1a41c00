/*
 * The registers of the 82540EM as a table: manual, table 13-2 and the sections after it. What is
 * not listed reads zero and ignores writes, counted as refused. Masks are the bits the manual
 * calls R/W. The 82542's offsets, at which some registers appear a second time, are at the end.
 */
#include "dev/e1000_impl.h"

#define ALL UINT32_MAX

static uint32_t pba_read(struct e1000 *e, unsigned off)
{
    uint32_t rxa = *e1000_at(e, off) & 0x3f;

    return rxa | (0x40 - rxa) << 16; /* 64 KiB, shared */
}

static uint32_t ctrl_read(struct e1000 *e, unsigned off)
{
    (void)off;
    return *e1000_at(e, CTRL);
}

static void w1c(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) &= ~val;
}

#define WUC_PME 4u

static void wuc_write(struct e1000 *e, unsigned off, uint32_t val)
{
    uint32_t *r = e1000_at(e, off);

    *r = (val & 0xb) | (*r & ~val & WUC_PME);
}

#define PLAIN(at, words, bits, start)                                                              \
    {                                                                                              \
        .off = (at), .count = (words), .mask = (bits), .reset = (start)                            \
    }
#define KEPT(at, words, bits, start)                                                               \
    {                                                                                              \
        .off = (at), .count = (words), .mask = (bits), .reset = (start), .keep = true              \
    }
#define FUNCS(at, start, rd, wr)                                                                   \
    {                                                                                              \
        .off = (at), .count = 1, .reset = (start), .read = (rd), .write = (wr)                     \
    }

const struct e1000_reg e1000_regs[] = {
    KEPT(0, 0, 0, 0), /* nothing there */
    FUNCS(CTRL, CTRL_FD | 0x200, NULL, e1000_ctrl_write),
    FUNCS(CTRL_DUP, 0, ctrl_read, e1000_ctrl_write),
    FUNCS(STATUS, 0, e1000_status_read, NULL),
    FUNCS(EECD, 0x10, e1000_eecd_read, e1000_eecd_write),
    FUNCS(EERD, 0, NULL, e1000_eerd_write),
    FUNCS(CTRL_EXT, 0, NULL, e1000_ctrl_ext_write),
    PLAIN(FLA, 1, 0, 0), /* no flash */
    FUNCS(MDIC, 0, NULL, e1000_mdic_write),
    PLAIN(FCAL, 1, ALL, 0),
    PLAIN(FCAH, 1, 0xffff, 0),
    PLAIN(FCT, 1, 0xffff, 0),
    PLAIN(VET, 1, 0xffff, 0x8100),
    PLAIN(FCTTV, 1, 0xffff, 0),
    PLAIN(TXCW, 1, 0xc000ffff, 0),
    PLAIN(RXCW, 1, 0, 0),
    PLAIN(LEDCTL, 1, 0xcfcfcfcf, 0x07061302),
    {PBA, 1, 0x3f, 0x30, pba_read, NULL, true},

    FUNCS(ICR, 0, e1000_icr_read, e1000_icr_write),
    PLAIN(ITR, 1, 0xffff, 0),
    FUNCS(ICS, 0, NULL, e1000_ics_write),
    FUNCS(IMS, 0, NULL, e1000_ims_write),
    FUNCS(IMC, 0, NULL, e1000_imc_write),

    FUNCS(RCTL, 0, NULL, e1000_rctl_write),
    PLAIN(RDFH, 1, 0x1fff, 0),
    PLAIN(RDFH + 0x08, 1, 0x1fff, 0),
    PLAIN(RDFH + 0x10, 1, 0x1fff, 0),
    PLAIN(RDFH + 0x18, 1, 0x1fff, 0),
    PLAIN(RDFH + 0x20, 1, 0x1fff, 0),
    PLAIN(FCRTL, 1, 0x8000fff8, 0),
    PLAIN(FCRTH, 1, 0xfff8, 0),
    PLAIN(RDBAL, 1, 0xfffffff0, 0),
    PLAIN(RDBAH, 1, ALL, 0),
    PLAIN(RDLEN, 1, 0xfff80, 0),
    PLAIN(RDH, 1, 0xffff, 0),
    FUNCS(RDT, 0, NULL, e1000_rdt_write),
    FUNCS(RDTR, 0, NULL, e1000_rdtr_write),
    PLAIN(RXDCTL, 1, 0x013f3f3f, 0x01000000),
    PLAIN(RADV, 1, 0xffff, 0),
    PLAIN(RSRPD, 1, 0xfff, 0),
    PLAIN(RXCSUM, 1, 0x7ff, 0),
    KEPT(MTA, 128, ALL, 0),
    {RAL, 32, 0, 0, NULL, e1000_ra_write, true},
    KEPT(VFTA, 128, ALL, 0),

    FUNCS(TCTL, 0, NULL, e1000_tctl_write),
    PLAIN(TIPG, 1, 0x3fffffff, 0),
    PLAIN(AIT, 1, 0xffff, 0),
    PLAIN(TDFH, 1, 0x1fff, 0),
    PLAIN(TDFH + 0x08, 1, 0x1fff, 0),
    PLAIN(TDFH + 0x10, 1, 0x1fff, 0),
    PLAIN(TDFH + 0x18, 1, 0x1fff, 0),
    PLAIN(TDFH + 0x20, 1, 0x1fff, 0),
    PLAIN(TDBAL, 1, 0xfffffff0, 0),
    PLAIN(TDBAH, 1, ALL, 0),
    PLAIN(TDLEN, 1, 0xfff80, 0),
    PLAIN(TDH, 1, 0xffff, 0),
    FUNCS(TDT, 0, NULL, e1000_tdt_write),
    PLAIN(TIDV, 1, 0xffff, 0),
    PLAIN(TXDCTL, 1, 0xff3f3f3f, 0),
    PLAIN(TADV, 1, 0xffff, 0),
    PLAIN(TSPMT, 1, ALL, 0x01000400),

    {STATS, 64, 0, 0, e1000_stat_read, NULL, false},

    {WUC, 1, 0, 0, NULL, wuc_write, true},
    KEPT(WUFC, 1, 0x000f80ff, 0),
    {WUS, 1, 0, 0, NULL, w1c, true},
    KEPT(MANC, 1, 0x0003ff03, 0),
    KEPT(IPAV, 1, 0x0001000f, 0),
    KEPT(IP4AT, 8, ALL, 0),
    KEPT(IP6AT, 4, ALL, 0),
    KEPT(WUPL, 1, 0, 0),
    KEPT(WUPM, 32, 0, 0),
    KEPT(FFLT, 8, 0x7ff, 0),
    KEPT(FFMT, 256, 0xf, 0),
    KEPT(FFVT, 256, ALL, 0),
};
const unsigned e1000_reg_count = ARRAY_LEN(e1000_regs);

static const struct {
    uint16_t old, off, count;
} aliases[] = {
    {0x0040, RAL, 32},   {0x0108, RDTR, 1},  {0x0110, RDBAL, 3}, {0x0120, RDH, 1},
    {0x0128, RDT, 1},    {0x0160, FCRTH, 1}, {0x0168, FCRTL, 1}, {0x0200, MTA, 128},
    {0x0420, TDBAL, 3},  {0x0430, TDH, 1},   {0x0438, TDT, 1},   {0x0440, TIDV, 1},
    {0x0600, VFTA, 128},
};

unsigned e1000_alias(unsigned off)
{
    for (unsigned i = 0; i < ARRAY_LEN(aliases); i++)
        if (off - aliases[i].old < aliases[i].count * 4u && off >= aliases[i].old)
            return off - aliases[i].old + aliases[i].off;
    return off;
}

void e1000_kinds(struct e1000 *e)
{
    for (unsigned r = 1; r < e1000_reg_count; r++)
        for (unsigned i = 0; i < e1000_regs[r].count; i++)
            e->kind[e1000_regs[r].off / 4 + i] = (uint8_t)r;
}
