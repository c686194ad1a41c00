/*
 * VLAN tags at the front of a frame (IEEE 802.1Q, 9.3 to 9.6): a C-tag is EtherType 0x8100, then
 * three bits of priority, one that allows dropping, and twelve of VLAN: 0 says nothing but the
 * priority, 4095 is reserved.
 */
#ifndef SHARE_L2_TAG_H
#define SHARE_L2_TAG_H

#include "core/types.h"

#define L2_HEAD     14u /* both addresses and the type */
#define L2_TAG      4u
#define L2_TAGS_MAX 2u /* that are looked through */
#define L2_VLANS    4096u
#define L2_VLAN_TOP 4094u

struct l2_tag {
    unsigned vid;  /* of the first tag; 0: none, or priority only */
    uint8_t prio;  /* the upper four bits of its control word, as they are */
    unsigned tags; /* in front, at most L2_TAGS_MAX are counted */
    unsigned l3;   /* where what is behind the tags begins */
    uint16_t type; /* of what is behind the tags that were looked through */
};

/* head: the first have bytes of a frame, at least L2_HEAD. False: it ends within a tag. */
bool l2_tag_get(struct l2_tag *t, const uint8_t *head, size_t have);
/* C-tag, S-tag, and what was used for stacks before that */
static inline bool l2_is_tag(unsigned type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200;
}

/* A set of VLANs: "1,5-9", "all". 0 or -EINVAL. */
struct l2_vlans {
    uint64_t bit[L2_VLANS / 64];
};
int l2_vlans_parse(struct l2_vlans *v, const char *text);

static inline bool l2_vlans_has(const struct l2_vlans *v, unsigned vid)
{
    return vid < L2_VLANS && v->bit[vid / 64] >> vid % 64 & 1;
}

static inline void l2_vlans_add(struct l2_vlans *v, unsigned vid)
{
    v->bit[vid / 64] |= 1ull << vid % 64;
}

#endif
