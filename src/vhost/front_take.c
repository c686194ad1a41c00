/* What a back end answers, and whether it can be so. Each answer is judged before any of it is
 * kept; what is wrong is told by a sentence, and ends the connection. */
#include "core/ledger.h"
#include "mem/ram.h"
#include "vhost/front_impl.h"
#include <string.h>

#define PROTOCOL                                                                                   \
    (VU_BIT(VU_F_MQ) | VU_BIT(VU_F_REPLY_ACK) | VU_BIT(VU_F_BACKEND_REQ) | VU_BIT(VU_F_CONFIG) |   \
     VU_BIT(VU_F_CONFIGURE_MEM_SLOTS))
enum { RINGS_SANE = 1024 }; /* DPDK says 128 pairs; more is no number of queues */

static const char *features_take(struct vfront *f, uint64_t val)
{
    if (!(val & VIRTIO_BIT(VIRTIO_F_VERSION_1)))
        return "it offers no VERSION_1: legacy devices are not for us";
    if (!(val & VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
        return "it offers no protocol features";
    f->features = val;
    return NULL;
}

static const char *protocol_take(struct vfront *f, uint64_t val)
{
    f->protocol = val & PROTOCOL;
    if (f->kind->config && !front_agreed(f, VU_F_CONFIG))
        return "it can't tell its configuration (CONFIG), so nobody knows the size of the disk";
    /* Its own requests would be about nothing but the configuration. */
    if (!front_agreed(f, VU_F_CONFIG) ||
        (front_agreed(f, VU_F_BACKEND_REQ) && front_back_channel(f)))
        f->protocol &= ~VU_BIT(VU_F_BACKEND_REQ);
    front_ask(f, VU_SET_PROTOCOL_FEATURES, 0);
    if (front_agreed(f, VU_F_MQ))
        front_ask(f, VU_GET_QUEUE_NUM, 0);
    if (front_agreed(f, VU_F_CONFIGURE_MEM_SLOTS))
        front_ask(f, VU_GET_MAX_MEM_SLOTS, 0);
    if (front_agreed(f, VU_F_BACKEND_REQ))
        front_ask(f, VU_SET_BACKEND_REQ_FD, 0);
    front_ask(f, VU_SET_OWNER, 0);
    if (f->kind->config)
        front_ask(f, VU_GET_CONFIG, 0);
    front_ask(f, ASK_PROBED, 0);
    return NULL;
}

static const char *rings_take(struct vfront *f, uint64_t val)
{
    if (!val || val > RINGS_SANE)
        return "it has no queues, or more than a device can have";
    f->rings_max = val;
    return NULL;
}

static const char *slots_take(struct vfront *f, uint64_t val)
{
    f->slots = val; /* too few for us: the table is sent instead */
    return NULL;
}

/* It may come longer than asked for; an empty one is how a back end says no. */
static const char *config_take(struct vfront *f, const struct vu_msg *m)
{
    uint32_t want = f->kind->cfg_len;
    uint8_t cfg[FRONT_CFG_MAX];
    const char *why;

    f->cfg_asked = false;
    if (m->size < VU_CONFIG_DATA + want || le32_get(m->payload + VU_CONFIG_OFFSET) ||
        le32_get(m->payload + VU_CONFIG_SIZE) < want)
        return "its configuration is shorter than such a device has";
    memcpy(cfg, m->payload + VU_CONFIG_DATA, want);
    why = f->kind->cfg_judge(f, cfg);
    if (why)
        return why;
    front_config_came(f, cfg);
    if (f->cfg_stale) {
        f->cfg_stale = false;
        f->cfg_asked = true;
        front_ask(f, VU_GET_CONFIG, 0);
    }
    return NULL;
}

static const char *base_take(const struct front_ask *a, const struct vu_msg *m)
{
    if (m->size != VU_STATE_LEN || le32_get(m->payload + VU_STATE_QUEUE) != a->what)
        return "it tells the place of another ring than it was asked for";
    return NULL; /* where it stopped is known here */
}

static const char *acknowledged(struct vfront *f, const struct vu_msg *m)
{
    if (m->size != VU_U64_LEN)
        return "an acknowledgement that is none";
    if (!le64_get(m->payload))
        return NULL;
    ledger_refuse(f->msgs[m->request]);
    return "it refuses a request that it must obey";
}

const char *front_take(struct vfront *f, const struct front_ask *a, const struct vu_msg *m)
{
    bool number = m->size == VU_U64_LEN;
    uint64_t val = le64_get(m->payload);

    if (m->request != a->request || !(m->flags & VU_REPLY))
        return "it answers what it was not asked";
    if (m->fds)
        return "descriptors come with an answer that has none";
    switch (a->request) {
    case VU_GET_CONFIG: return config_take(f, m);
    case VU_GET_VRING_BASE: return base_take(a, m);
    case VU_GET_FEATURES:
        return number ? features_take(f, val) : "an answer of another size than it must have";
    case VU_GET_PROTOCOL_FEATURES:
        return number ? protocol_take(f, val) : "an answer of another size than it must have";
    case VU_GET_QUEUE_NUM:
        return number ? rings_take(f, val) : "an answer of another size than it must have";
    case VU_GET_MAX_MEM_SLOTS:
        return number ? slots_take(f, val) : "an answer of another size than it must have";
    default: return acknowledged(f, m);
    }
}

/* The driver knows one device. Who comes later must be able to go on as that. */
static const char *not_the_same(const struct vfront *f)
{
    uint64_t must = f->wanted ? f->v.taken : f->v.offered;

    if (must & f->kind->features & ~f->features)
        return "it lacks features of the one before, which the driver uses";
    if (f->wanted && f->ring_bits & ~f->features)
        return "it lacks the ring features of the one before, whose requests wait";
    return NULL;
}

void front_probed(struct vfront *f)
{
    uint64_t need = f->o.queues;
    const char *why = f->attached ? not_the_same(f) : NULL;

    if (f->rings_max < need)
        why = "it has fewer queues than queues= says";
    if (why) {
        front_lied(f, why);
        return;
    }
    f->probed = true;
    if (f->wanted)
        front_ask_run(f);
    else
        front_back(f);
}
