/* What each message of a vhost-user front end asks of the back end. */
#include "vhost/back_impl.h"
#include <string.h>
#include <unistd.h>

/* The transport's own bits among the features. */
#define OWN_FEATURES (VU_BIT(VHOST_F_LOG_ALL) | VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))

enum {
    DRIVER_READY = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK,
};

static enum vhost_answer reply_u64(struct vu_msg *m, uint64_t val)
{
    vu_msg_drop(m);
    le64_put(m->payload, val);
    m->size = VU_U64_LEN;
    return VHOST_REPLY;
}

/* ---- features ---- */

static uint64_t offered(const struct vhost_back *b)
{
    return (b->v->offered & ~b->o.withheld) | OWN_FEATURES;
}

static uint64_t offered_protocol(const struct vhost_back *b)
{
    uint64_t f = VU_BIT(VU_F_MQ) | VU_BIT(VU_F_LOG_SHMFD) | VU_BIT(VU_F_REPLY_ACK) |
                 VU_BIT(VU_F_BACKEND_REQ) | VU_BIT(VU_F_CONFIGURE_MEM_SLOTS) |
                 VU_BIT(VU_F_INFLIGHT_SHMFD);

    return b->o.config ? f | VU_BIT(VU_F_CONFIG) : f;
}

/* True if the device took them. */
static bool features_take(struct vhost_back *b, uint64_t device)
{
    struct virtio *v = b->v;

    virtio_reset(v);
    virtio_set_status(v, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    virtio_take(v, 0, (uint32_t)device);
    virtio_take(v, 1, (uint32_t)(device >> 32));
    virtio_set_status(v, DRIVER_READY);
    return v->status & VIRTIO_FEATURES_OK;
}

/* Comes again while rings run, when the dirty log is turned on or off. */
static enum vhost_answer features_set(struct vhost_back *b, const struct vu_msg *m)
{
    uint64_t f = m->size >= VU_U64_LEN ? le64_get(m->payload) : UINT64_MAX;
    bool same = b->featured && !((f ^ b->features) & ~OWN_FEATURES);

    if (f & ~offered(b))
        return vhost_lied(b, "features that were not offered");
    if (!same) {
        vhost_rings_rest(b);
        if (!features_take(b, f & ~OWN_FEATURES))
            return vhost_lied(b, "a legacy driver (no VERSION_1): only modern ones are served");
    }
    b->features = f;
    b->featured = true;
    lent_log_on(&b->lent, f >> VHOST_F_LOG_ALL & 1);
    if (vhost_mem_logged(b))
        vhost_rings_go(b);
    return b->bad ? VHOST_LIED : VHOST_OK;
}

static enum vhost_answer protocol_set(struct vhost_back *b, const struct vu_msg *m)
{
    uint64_t f = m->size >= VU_U64_LEN ? le64_get(m->payload) : UINT64_MAX;

    if (f & ~offered_protocol(b))
        return vhost_lied(b, "protocol features that were not offered");
    b->protocol = f;
    return VHOST_OK;
}

/* ---- configuration ---- */

static bool config_judge(const struct vu_msg *m, uint32_t *off, uint32_t *len)
{
    if (m->size < VU_CONFIG_DATA)
        return false;
    *off = le32_get(m->payload + VU_CONFIG_OFFSET);
    *len = le32_get(m->payload + VU_CONFIG_SIZE);
    return range_in(*off, *len, 0, VU_CONFIG_MAX) && m->size >= VU_CONFIG_DATA + *len;
}

/* Bound: VU_CONFIG_MAX bytes. What the device does not have reads 0: newer front ends know more. */
static enum vhost_answer config_get(struct vhost_back *b, struct vu_msg *m)
{
    uint32_t off, len;

    if (!config_judge(m, &off, &len))
        return vhost_lied(b, "a piece of the configuration that there is not");
    vu_msg_drop(m);
    for (uint32_t i = 0; i < len; i++)
        m->payload[VU_CONFIG_DATA + i] =
            off + i < b->v->cls->cfg_len ? (uint8_t)virtio_cfg_read(b->v, off + i, 1) : 0;
    m->size = VU_CONFIG_DATA + len;
    return VHOST_REPLY;
}

static enum vhost_answer config_set(struct vhost_back *b, const struct vu_msg *m)
{
    uint32_t off, len;

    if (!config_judge(m, &off, &len))
        return vhost_lied(b, "a piece of the configuration that there is not");
    for (uint32_t i = 0; i < len; i++)
        virtio_cfg_write(b->v, off + i, 1, m->payload[VU_CONFIG_DATA + i]);
    return VHOST_OK;
}

/* ---- the rest ---- */

static enum vhost_answer back_sock_set(struct vhost_back *b, struct vu_msg *m)
{
    int fd = vu_fd_take(m, 0);

    if (fd < 0)
        return vhost_lied(b, "no descriptor for requests of the back end");
    if (b->back_sock >= 0)
        close(b->back_sock);
    b->back_sock = fd;
    return VHOST_OK;
}

static enum vhost_answer owner_reset(struct vhost_back *b)
{
    vhost_rings_rest(b);
    for (unsigned i = 0; i < b->v->queues; i++)
        b->ring[i].enabled = false;
    return VHOST_OK;
}

enum vhost_answer vhost_obey(struct vhost_back *b, struct vu_msg *m)
{
    switch (m->request) {
    case VU_GET_FEATURES: return reply_u64(m, offered(b));
    case VU_SET_FEATURES: return features_set(b, m);
    case VU_GET_PROTOCOL_FEATURES: return reply_u64(m, offered_protocol(b));
    case VU_SET_PROTOCOL_FEATURES: return protocol_set(b, m);
    case VU_GET_QUEUE_NUM: return reply_u64(m, b->o.queues);
    case VU_GET_MAX_MEM_SLOTS: return reply_u64(m, RAM_SLOTS_MAX);
    case VU_SET_OWNER: return VHOST_OK;
    case VU_RESET_OWNER: return owner_reset(b);
    case VU_SET_BACKEND_REQ_FD: return back_sock_set(b, m);
    case VU_SET_MEM_TABLE: return vhost_mem_table(b, m);
    case VU_ADD_MEM_REG: return vhost_mem_add(b, m);
    case VU_REM_MEM_REG: return vhost_mem_remove(b, m);
    case VU_SET_LOG_BASE: return vhost_mem_log(b, m);
    case VU_SET_LOG_FD: return VHOST_OK; /* an eventfd for a log that is full: ours never is */
    case VU_GET_INFLIGHT_FD: return vhost_flight_get(b, m);
    case VU_SET_INFLIGHT_FD: return vhost_flight_set(b, m);
    case VU_SET_VRING_NUM: return vhost_ring_num(b, m);
    case VU_SET_VRING_ADDR: return vhost_ring_addr(b, m);
    case VU_SET_VRING_BASE: return vhost_ring_base(b, m);
    case VU_GET_VRING_BASE: return vhost_ring_base_get(b, m);
    case VU_SET_VRING_KICK:
    case VU_SET_VRING_CALL:
    case VU_SET_VRING_ERR: return vhost_ring_fd(b, m);
    case VU_SET_VRING_ENABLE: return vhost_ring_enable(b, m);
    case VU_GET_CONFIG: return config_get(b, m);
    case VU_SET_CONFIG: return config_set(b, m);
    default: return vhost_lied(b, "a request that it was not told of");
    }
}
