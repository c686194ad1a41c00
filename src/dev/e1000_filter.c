/*
 * Which frames the 82540EM receives: manual 3.2.1 and 13.5. Exact addresses (RAL/RAH), the
 * multicast hash table (MTA), broadcast, promiscuous modes; then the VLAN table (VFTA), MAC
 * control frames, and length.
 */
#include "dev/e1000_impl.h"
#include "dev/e1000_wire.h"

#include <string.h>

#define ENTRIES   16
#define FRAME_MAX 1518u /* with FCS, without tag */
#define TAG       4u
#define RAH_PLAIN 0x8003ffffu

void e1000_ra_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = off & 4 ? val & RAH_PLAIN : val;
}

static bool entry_matches(const struct e1000 *e, unsigned i, const uint8_t *mac)
{
    uint32_t low = e1000_get(e, RAL + 8 * i), high = e1000_get(e, RAH + 8 * i);

    return (high & RAH_AV) && !(high & RAH_AS) && low == le32_get(mac) &&
           (high & 0xffff) == le16_get(mac + 4);
}

/* Twelve of the address's last sixteen bits pick a bit of the table: RCTL.MO says which twelve. */
static bool hash_matches(const struct e1000 *e, const uint8_t *mac)
{
    static const uint8_t shift[] = {4, 3, 2, 0};
    unsigned mo = e1000_get(e, RCTL) >> RCTL_MO & 3;
    unsigned bit = (unsigned)le16_get(mac + 4) >> shift[mo] & 0xfff;

    return e1000_get(e, MTA + bit / 32 * 4) >> (bit & 31) & 1;
}

static enum e1000_pass address_passes(const struct e1000 *e, const uint8_t *mac)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint32_t rctl = e1000_get(e, RCTL);
    bool group = mac[0] & 1;

    if (!memcmp(mac, broadcast, sizeof(broadcast)) && (rctl & RCTL_BAM))
        return E1000_EXACT;
    for (unsigned i = 0; i < ENTRIES; i++)
        if (entry_matches(e, i, mac))
            return E1000_EXACT;
    if (group && hash_matches(e, mac))
        return E1000_INEXACT;
    return rctl & (group ? RCTL_MPE : RCTL_UPE) ? E1000_INEXACT : E1000_DROP;
}

bool e1000_tagged(const struct e1000 *e, const uint8_t *frame, uint32_t len)
{
    return len >= ETH_HDR + TAG && be16_get(frame + 12) == e1000_get(e, VET);
}

static bool vlan_passes(const struct e1000 *e, const uint8_t *frame)
{
    uint32_t rctl = e1000_get(e, RCTL);
    unsigned tci = be16_get(frame + ETH_HDR), id = tci & 0xfff;

    if (!(rctl & RCTL_VFE))
        return true;
    if ((rctl & RCTL_CFIEN) && (tci >> 12 & 1) != !!(rctl & RCTL_CFI))
        return false;
    return e1000_get(e, VFTA + id / 32 * 4) >> (id & 31) & 1;
}

/* 802.3x: MAC control, opcode 1, to the address of FCAL/FCAH. */
static bool is_pause(const struct e1000 *e, const uint8_t *frame, uint32_t len)
{
    return len >= ETH_HDR + 4 && be16_get(frame + 12) == e1000_get(e, FCT) &&
           le32_get(frame) == e1000_get(e, FCAL) && le16_get(frame + 4) == e1000_get(e, FCAH) &&
           e1000_get(e, FCT);
}

static bool pause_passes(struct e1000 *e, const uint8_t *frame)
{
    uint32_t rctl = e1000_get(e, RCTL);

    if (e1000_get(e, CTRL) & CTRL_RFCE) {
        if (be16_get(frame + ETH_HDR) != 1)
            e1000_stat(e, FCRUC);
        else
            e1000_stat(e, be16_get(frame + ETH_HDR + 2) ? XOFFRXC : XONRXC);
    }
    return (rctl & RCTL_PMCF) && !(rctl & RCTL_DPF);
}

static bool length_passes(struct e1000 *e, uint32_t len, bool tagged)
{
    if (len + ETH_FCS <= FRAME_MAX + (tagged ? TAG : 0) || (e1000_get(e, RCTL) & RCTL_LPE))
        return true;
    e1000_stat(e, ROC);
    return false;
}

enum e1000_pass e1000_filter(struct e1000 *e, const uint8_t *frame, uint32_t len)
{
    bool tagged = e1000_tagged(e, frame, len);
    enum e1000_pass pass = address_passes(e, frame);

    if (is_pause(e, frame, len))
        return pause_passes(e, frame) ? E1000_EXACT : E1000_DROP;
    if (pass == E1000_DROP || (tagged && !vlan_passes(e, frame)))
        return E1000_DROP;
    return length_passes(e, len, tagged) ? pass : E1000_DROP;
}
