/*
 * The PHY inside the 82540EM, a Marvell 88E1011: manual 13.4.7 (MDIC), IEEE 802.3 clause 22
 * and 40.5 for registers 0 to 15, 13.4.7.1 and on for 16 and up. The partner
 * at the other end can do everything and answers at once, so autonegotiation is over when the
 * write that started it returns. Left out: cables, crossover, the virtual cable tester.
 */
#include "dev/e1000_impl.h"

#include <string.h>

#define PHY_ADDR 1u

enum {
    PCTRL,
    PSTATUS,
    PHYID1,
    PHYID2,
    ANADV,
    ANLPA,
    ANEXP,
    NPTX,
    NPLP,
    GCTRL,
    GSTATUS,
    ESTATUS = 15,
    PSCR,
    PSSR,
    INTEN,
    INTST,
    EPSCR,
    RXERR,
    LEDCON = 24,
    LEDOVER,
    EXT26,
    EXT27,
    EXT29 = 29,
    EXT30,
};

#define P_RESET    0x8000u
#define P_LOOP     0x4000u
#define P_SPEED_LO 0x2000u
#define P_AN       0x1000u
#define P_POWER    0x0800u
#define P_ISOLATE  0x0400u
#define P_RESTART  0x0200u
#define P_DUPLEX   0x0100u
#define P_SPEED_HI 0x0040u

#define PS_ABLE 0x7949u /* 10 and 100 Mb/s, both duplexes, autonegotiation, more in register 15 */
#define PS_DONE 0x0020u
#define PS_LINK 0x0004u

#define PSSR_RESOLVED 0x1800u /* page received, speed and duplex resolved */
#define PSSR_LINK     0x0400u
#define PSSR_DUPLEX   0x2000u
#define PSSR_SPEED    14

#define IEVT_SPEED  0x4000u
#define IEVT_DUPLEX 0x2000u
#define IEVT_DONE   0x0800u
#define IEVT_LINK   0x0400u

#define PARTNER     0x41e1u /* acknowledge, 10 and 100 Mb/s, 802.3; no pause */
#define PARTNER_GIG 0x7c00u /* this side is master, both receivers fine, 1000 Mb/s */
#define SPEED_1000  2u
#define SPEED_NONE  3u
#define PHY_ID_HIGH 0x0141
#define PHY_ID_LOW  0x0c24 /* 88E1011, revision 4 */
#define GIG_ABLE    0x3000 /* 1000BASE-T, both duplexes */
#define IS_GIG(g)   ((g)&0x0300u)

static const uint16_t writable[E1000_PHY] = {
    [PCTRL] = 0x7d40,   [ANADV] = 0xbfff, [NPTX] = 0xbfff,  [GCTRL] = 0xff00,
    [PSCR] = 0xffff,    [INTEN] = 0xffff, [EPSCR] = 0xffff, [LEDCON] = 0xffff,
    [LEDOVER] = 0xffff, [EXT26] = 0xffff, [EXT29] = 0xffff, [EXT30] = 0xffff,
};

struct mode {
    unsigned speed; /* as in STATUS: 0, 1, 2 for 10, 100, 1000; SPEED_NONE */
    bool full;
};

/* The best both sides can do, in the order of 802.3 28B.3. */
static struct mode negotiate(const struct e1000 *e)
{
    unsigned gig = e->phy[GCTRL], adv = e->phy[ANADV];

    if (IS_GIG(gig))
        return (struct mode){SPEED_1000, gig & 0x0200};
    if (adv & 0x0180)
        return (struct mode){1, adv & 0x0100};
    if (adv & 0x0060)
        return (struct mode){0, adv & 0x0040};
    return (struct mode){SPEED_NONE, false};
}

static struct mode mode_of(const struct e1000 *e)
{
    unsigned ctrl = e->phy[PCTRL];

    if (ctrl & P_AN)
        return negotiate(e);
    return (struct mode){ctrl & P_SPEED_HI ? SPEED_1000 : !!(ctrl & P_SPEED_LO), ctrl & P_DUPLEX};
}

bool e1000_phy_loops(const struct e1000 *e)
{
    return (e->phy[PCTRL] & P_LOOP) && !(e->phy[PCTRL] & P_POWER);
}

static bool link_up(const struct e1000 *e)
{
    if (e->phy[PCTRL] & P_POWER)
        return false;
    if (e->phy[PCTRL] & P_LOOP)
        return true;
    return !(e->phy[PCTRL] & P_ISOLATE) && e->net && e->net->up && mode_of(e).speed != SPEED_NONE;
}

/* ---- what follows from it ---- */

static void event(struct e1000 *e, unsigned bits)
{
    e->phy[INTST] |= (uint16_t)bits;
    if (e->phy[INTEN] & bits)
        e1000_cause(e, INT_PHY);
}

static void partner_set(struct e1000 *e, bool heard, const struct mode *m)
{
    e->phy[ANLPA] = heard ? PARTNER : 0;
    e->phy[ANEXP] = heard ? 0x0003 : 0; /* a page came; the partner negotiates */
    e->phy[GSTATUS] = heard && m->speed == SPEED_1000 ? PARTNER_GIG : 0;
}

/* Registers that tell of the link, from what is now so. */
static void link_set(struct e1000 *e, bool up)
{
    struct mode m = mode_of(e);
    bool done = up && (e->phy[PCTRL] & P_AN) && !(e->phy[PCTRL] & P_LOOP);
    unsigned was = e->phy[PSSR], is = 0;

    if (up)
        is = PSSR_RESOLVED | PSSR_LINK | (m.speed & 3) << PSSR_SPEED | (m.full ? PSSR_DUPLEX : 0);
    e->phy[PSSR] = (uint16_t)is;
    e->phy[PSTATUS] =
        (uint16_t)(PS_ABLE | (done ? PS_DONE : 0) | (up ? e->phy[PSTATUS] & PS_LINK : 0));
    partner_set(e, done, &m);
    event(e, ((was ^ is) & (IEVT_SPEED | IEVT_DUPLEX | IEVT_LINK)) | (done ? IEVT_DONE : 0));
}

/* The MAC's view: STATUS.LU, whose change is LSC's cause. */
static void mac_link(struct e1000 *e, bool up)
{
    uint32_t *status = e1000_at(e, STATUS);
    bool lu = up && (e1000_get(e, CTRL) & CTRL_SLU);

    if (lu == !!(*status & STATUS_LU))
        return;
    *status ^= STATUS_LU;
    e1000_cause(e, INT_LSC);
}

void e1000_phy_link(struct e1000 *e)
{
    bool up = link_up(e);

    if (up != !!(e->phy[PSSR] & PSSR_LINK))
        link_set(e, up);
    mac_link(e, up);
}

/* The link goes down and, if it may, comes up again. */
static void renegotiate(struct e1000 *e)
{
    e->phy[PSTATUS] &= (uint16_t)~PS_LINK;
    link_set(e, false);
    mac_link(e, false);
    e1000_phy_link(e);
}

uint32_t e1000_status_read(struct e1000 *e, unsigned off)
{
    uint32_t ctrl = e1000_get(e, CTRL), val = e1000_get(e, off) & STATUS_LU;
    unsigned speed = e->phy[PSSR] >> PSSR_SPEED & 3;
    bool full = e->phy[PSSR] & PSSR_DUPLEX;

    if (!(e->phy[PSSR] & PSSR_LINK)) { /* the last word on it is the chip's default */
        speed = SPEED_1000;
        full = true;
    }
    val |= speed << ASDV_AT;
    if (ctrl & CTRL_FRCSPD)
        speed = (ctrl & CTRL_SPEED) >> 8;
    if (ctrl & CTRL_FRCDPX)
        full = ctrl & CTRL_FD;
    return val | speed << SPEED_AT | (full ? STATUS_FD : 0);
}

/* ---- MDIC ---- */

void e1000_phy_reset(struct e1000 *e)
{
    static const uint16_t start[E1000_PHY] = {
        [PCTRL] = 0x1140, [PSTATUS] = PS_ABLE, [PHYID1] = PHY_ID_HIGH, [PHYID2] = PHY_ID_LOW,
        [ANADV] = 0x0de1, [NPTX] = 0x2001,     [GCTRL] = 0x0300,       [ESTATUS] = GIG_ABLE,
        [PSCR] = 0x0068,  [EPSCR] = 0x0d60,    [LEDCON] = 0x4100,      [EXT26] = 0x000a,
    };

    memcpy(e->phy, start, sizeof(e->phy));
    renegotiate(e);
}

/* Reset by software keeps what was set up and starts over with it. */
static void pctrl_write(struct e1000 *e, uint16_t val)
{
    uint16_t was = e->phy[PCTRL], flips;

    e->phy[PCTRL] = val & writable[PCTRL];
    flips = was ^ e->phy[PCTRL];
    if ((val & (P_RESET | P_RESTART)) || flips)
        renegotiate(e);
}

static uint16_t phy_read(struct e1000 *e, unsigned r)
{
    uint16_t val = e->phy[r];

    if (r == PSTATUS && (e->phy[PSSR] & PSSR_LINK))
        e->phy[r] |= PS_LINK; /* a loss stays until it has been read */
    else if (r == INTST || r == RXERR)
        e->phy[r] = 0;
    else if (r == ANEXP)
        e->phy[r] &= (uint16_t)~2u;
    return val;
}

static void phy_write(struct e1000 *e, unsigned r, uint16_t val)
{
    if (r == PCTRL)
        pctrl_write(e, val);
    else
        e->phy[r] = (uint16_t)((e->phy[r] & ~writable[r]) | (val & writable[r]));
}

void e1000_mdic_write(struct e1000 *e, unsigned off, uint32_t val)
{
    unsigned op = val >> 26 & 3, r = val >> 16 & 31;
    bool here = (val >> 21 & 31) == PHY_ADDR;

    val &= ~(MDIC_READY | MDIC_ERROR);
    if (here && op == MDIC_WRITE)
        phy_write(e, r, (uint16_t)val);
    else if (here && op == MDIC_READ)
        val = (val & ~0xffffu) | phy_read(e, r);
    else
        val |= MDIC_ERROR; /* nobody answers */
    *e1000_at(e, off) = val | MDIC_READY;
    if (val & MDIC_INT)
        e1000_cause(e, INT_MDAC);
}
