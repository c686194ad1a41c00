/* The memory that a vhost-user peer lends: regions of files, by table or one at a time, and the
 * dirty log. While memory changes, the rings rest: nothing is in flight that could still use it.
 *
 * QEMU (7.2) speaks for each pair of a card's queues as for a device of its own: the same region is
 * lent once a pair, and is gone when each has taken it back. */
#include "vhost/back_impl.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

bool vhost_mem_gpa(const struct vhost_back *b, uint64_t user, uint64_t len, gpa_t *gpa)
{
    for (unsigned i = 0; i < b->regions; i++) {
        const struct vhost_user_region *r = &b->region[i];

        if (!range_in(user, len, r->user, r->len))
            continue;
        *gpa = r->gpa + (user - r->user);
        return true;
    }
    return false;
}

static enum vhost_answer region_error(struct vhost_back *b, int err)
{
    switch (err) {
    case -EINVAL: return vhost_lied(b, "a region that is no range of a file");
    case -ERANGE: return vhost_lied(b, "a region that its file is too short for");
    case -EEXIST: return vhost_lied(b, "regions that overlap");
    default: return VHOST_FAILED;
    }
}

/* One that is there already, and may be lent once more. What its descriptor leads to is not looked
 * at: a peer that sends another file's still has the first one's. */
static bool lent_again(struct vhost_back *b, uint64_t gpa, uint64_t len, uint64_t user)
{
    for (unsigned i = 0; i < b->regions; i++) {
        struct vhost_user_region *r = &b->region[i];

        if (r->gpa != gpa || r->len != len || r->user != user || r->times >= b->o.lends)
            continue;
        r->times++;
        return true;
    }
    return false;
}

/* fd is used up. */
static enum vhost_answer region_add(struct vhost_back *b, const uint8_t *at, int fd)
{
    struct lent_region r = {.gpa = le64_get(at + VU_REGION_GPA),
                            .len = le64_get(at + VU_REGION_SIZE),
                            .offset = le64_get(at + VU_REGION_OFFSET)};
    uint64_t user = le64_get(at + VU_REGION_USER);
    int err;

    if (fd < 0)
        return vhost_lied(b, "a region without a descriptor");
    if (lent_again(b, r.gpa, r.len, user)) {
        close(fd);
        return VHOST_OK;
    }
    err = r.len && r.len - 1 > UINT64_MAX - user ? -EINVAL : lent_add(&b->lent, &r, fd);
    close(fd);
    if (err)
        return region_error(b, err);
    b->region[b->regions++] = (struct vhost_user_region){r.gpa, r.len, user, 1};
    return vhost_mem_logged(b) ? VHOST_OK : VHOST_LIED;
}

static void regions_clear(struct vhost_back *b)
{
    while (b->regions) {
        const struct vhost_user_region *r = &b->region[--b->regions];

        lent_remove(&b->lent, r->gpa, r->len);
    }
}

enum vhost_answer vhost_mem_table(struct vhost_back *b, struct vu_msg *m)
{
    uint32_t count = m->size >= VU_TABLE_REGIONS ? le32_get(m->payload + VU_TABLE_COUNT) : 0;
    enum vhost_answer a = VHOST_OK;

    if (m->size < VU_TABLE_REGIONS || count > VU_TABLE_MAX || count != m->fds ||
        m->size < VU_TABLE_REGIONS + count * VU_REGION_LEN)
        return vhost_lied(b, "a memory table whose parts don't fit each other");
    vhost_rings_rest(b);
    regions_clear(b);
    for (unsigned i = 0; i < count && a == VHOST_OK; i++) /* at most VU_TABLE_MAX, see above */
        a = region_add(b, m->payload + VU_TABLE_REGIONS + i * VU_REGION_LEN, vu_fd_take(m, i));
    if (a == VHOST_OK)
        vhost_rings_go(b);
    return b->bad ? VHOST_LIED : a;
}

enum vhost_answer vhost_mem_add(struct vhost_back *b, struct vu_msg *m)
{
    enum vhost_answer a;

    if (m->size < VU_REG_LEN || m->fds != 1)
        return vhost_lied(b, "a region whose message is too short, or without its descriptor");
    a = region_add(b, m->payload + VU_REG_REGION, vu_fd_take(m, 0));
    if (a == VHOST_OK)
        vhost_rings_go(b);
    return b->bad ? VHOST_LIED : a;
}

enum vhost_answer vhost_mem_remove(struct vhost_back *b, struct vu_msg *m)
{
    const uint8_t *at = m->payload + VU_REG_REGION;
    uint64_t gpa, len;

    if (m->size < VU_REG_LEN) /* some peers send a descriptor along: it is not needed */
        return vhost_lied(b, "a region whose message is too short");
    gpa = le64_get(at + VU_REGION_GPA);
    len = le64_get(at + VU_REGION_SIZE);
    for (unsigned i = 0; i < b->regions; i++) {
        if (b->region[i].gpa != gpa || b->region[i].len != len)
            continue;
        if (--b->region[i].times)
            return VHOST_OK;
        vhost_rings_rest(b);
        lent_remove(&b->lent, gpa, len);
        b->region[i] = b->region[--b->regions];
        vhost_rings_go(b);
        return b->bad ? VHOST_LIED : VHOST_OK;
    }
    return vhost_lied(b, "a region to be removed that it never lent");
}

enum { PAGES_A_BYTE = 8 };

bool vhost_mem_logged(struct vhost_back *b)
{
    uint64_t pages = b->lent.ram.log_len * PAGES_A_BYTE;

    if (!b->lent.ram.log)
        return true;
    for (unsigned i = 0; i < b->regions; i++) {
        const struct vhost_user_region *r = &b->region[i];

        if ((r->gpa + (r->len - 1)) / RAM_PAGE_SIZE < pages)
            continue;
        vhost_lied(b, "a dirty log that is too small for its memory");
        return false;
    }
    return true;
}

enum vhost_answer vhost_mem_log(struct vhost_back *b, struct vu_msg *m)
{
    int fd = vu_fd_take(m, 0), err;

    if (m->size < VU_LOG_LEN || fd < 0) {
        if (fd >= 0)
            close(fd);
        return vhost_lied(b, "a dirty log without its size or descriptor");
    }
    err = lent_log(&b->lent, fd, le64_get(m->payload + VU_LOG_OFFSET),
                   le64_get(m->payload + VU_LOG_SIZE));
    close(fd);
    if (err)
        return region_error(b, err);
    lent_log_on(&b->lent, b->features >> VHOST_F_LOG_ALL & 1);
    if (!vhost_mem_logged(b))
        return VHOST_LIED;
    if (!vhost_agreed(b, VU_F_LOG_SHMFD))
        return VHOST_OK;
    vu_msg_drop(m);
    le64_put(m->payload, 0);
    m->size = VU_U64_LEN;
    return VHOST_REPLY; /* it has a reply of its own */
}
