/* vhost-user messages: msg.h tells. The header comes first and is judged before any of the payload
 * is read; a read never asks for more than the message has, since behind it lies the next one with
 * descriptors of its own. */
#include "vhost/msg.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
};

int vu_fd_take(struct vu_msg *m, unsigned i)
{
    int fd;

    if (i >= m->fds)
        return -1;
    fd = m->fd[i];
    m->fd[i] = -1;
    return fd;
}

void vu_msg_drop(struct vu_msg *m)
{
    for (unsigned i = 0; i < m->fds; i++)
        if (m->fd[i] >= 0)
            close(m->fd[i]);
    m->fds = 0;
}

void vu_in_drop(struct vu_in *in)
{
    vu_msg_drop(&in->msg);
    memset(in, 0, sizeof(*in));
}

/* Bound: what a control buffer of ours holds, at most VU_FDS_MAX. False: more than a message has.
 */
static bool fds_add(struct vu_msg *m, const struct cmsghdr *c)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    bool fit = true;

    for (size_t i = 0; i < n; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
        if (m->fds < VU_FDS_MAX) {
            m->fd[m->fds++] = fd;
        } else {
            close(fd);
            fit = false;
        }
    }
    return fit;
}

static bool fds_collect(struct vu_msg *m, struct msghdr *h)
{
    bool fit = !(h->msg_flags & MSG_CTRUNC); /* the kernel closed those that did not fit */

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            fit &= fds_add(m, c);
    return fit;
}

/* How many bytes came; 0 none now; -errno. */
static ssize_t piece(struct vu_in *in, int sock, void *to, size_t want)
{
    union control control;
    struct iovec iov = {.iov_base = to, .iov_len = want};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    h.msg_control = &control;
    h.msg_controllen = sizeof(control);
    do
        n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    if (!fds_collect(&in->msg, &h))
        return -EPROTO;
    return n ? n : -ECONNRESET;
}

static bool header_parse(struct vu_in *in)
{
    struct vu_msg *m = &in->msg;

    m->request = le32_get(in->hdr + VU_HDR_REQUEST);
    m->flags = le32_get(in->hdr + VU_HDR_FLAGS);
    m->size = le32_get(in->hdr + VU_HDR_SIZE);
    return (m->flags & VU_VERSION_MASK) == VU_VERSION && m->size <= VU_PAYLOAD_MAX;
}

/* Bound: each turn brings at least a byte of one message. */
int vu_recv(struct vu_in *in, int sock)
{
    if (in->got >= VU_HDR_LEN && in->got == VU_HDR_LEN + in->msg.size) /* the last one was whole */
        vu_in_drop(in);
    for (;;) {
        bool hdr = in->got < VU_HDR_LEN;
        size_t body = hdr ? 0 : in->got - VU_HDR_LEN;
        ssize_t n;

        if (!hdr && body == in->msg.size)
            return 1;
        n = hdr ? piece(in, sock, in->hdr + in->got, VU_HDR_LEN - in->got)
                : piece(in, sock, in->msg.payload + body, in->msg.size - body);
        if (n <= 0)
            return (int)n;
        in->got += (size_t)n;
        if (in->got == VU_HDR_LEN && !header_parse(in))
            return -EPROTO;
    }
}

static void fds_attach(struct msghdr *h, union control *control, const struct vu_msg *m)
{
    size_t len = m->fds * sizeof(int);
    struct cmsghdr *c;

    if (!m->fds)
        return;
    memset(control, 0, sizeof(*control));
    h->msg_control = control;
    h->msg_controllen = CMSG_SPACE(len);
    c = CMSG_FIRSTHDR(h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), m->fd, len);
}

int vu_send(int sock, const struct vu_msg *m)
{
    uint8_t buf[VU_HDR_LEN + VU_PAYLOAD_MAX];
    size_t len = VU_HDR_LEN + (size_t)m->size, sent = 0;
    struct iovec iov = {.iov_base = buf};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control;

    if (m->size > VU_PAYLOAD_MAX || m->fds > VU_FDS_MAX)
        return -EINVAL;
    le32_put(buf + VU_HDR_REQUEST, m->request);
    le32_put(buf + VU_HDR_FLAGS, m->flags);
    le32_put(buf + VU_HDR_SIZE, m->size);
    memcpy(buf + VU_HDR_LEN, m->payload, m->size);
    fds_attach(&h, &control, m);
    while (sent < len) { /* bound: a byte a turn; a signal is the sender's own */
        ssize_t n;

        iov = (struct iovec){.iov_base = buf + sent, .iov_len = len - sent};
        n = sendmsg(sock, &h, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            continue;
        sent += (size_t)n;
        h.msg_control = NULL; /* they went with the first byte */
        h.msg_controllen = 0;
    }
    return 0;
}

const char *vu_request_name(uint32_t request)
{
    static const char *const name[VU_REQUESTS] = {
        [VU_GET_FEATURES] = "GET_FEATURES",
        [VU_SET_FEATURES] = "SET_FEATURES",
        [VU_SET_OWNER] = "SET_OWNER",
        [VU_RESET_OWNER] = "RESET_OWNER",
        [VU_SET_MEM_TABLE] = "SET_MEM_TABLE",
        [VU_SET_LOG_BASE] = "SET_LOG_BASE",
        [VU_SET_LOG_FD] = "SET_LOG_FD",
        [VU_SET_VRING_NUM] = "SET_VRING_NUM",
        [VU_SET_VRING_ADDR] = "SET_VRING_ADDR",
        [VU_SET_VRING_BASE] = "SET_VRING_BASE",
        [VU_GET_VRING_BASE] = "GET_VRING_BASE",
        [VU_SET_VRING_KICK] = "SET_VRING_KICK",
        [VU_SET_VRING_CALL] = "SET_VRING_CALL",
        [VU_SET_VRING_ERR] = "SET_VRING_ERR",
        [VU_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
        [VU_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
        [VU_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
        [VU_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
        [VU_SEND_RARP] = "SEND_RARP",
        [VU_NET_SET_MTU] = "NET_SET_MTU",
        [VU_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
        [VU_IOTLB_MSG] = "IOTLB_MSG",
        [VU_SET_VRING_ENDIAN] = "SET_VRING_ENDIAN",
        [VU_GET_CONFIG] = "GET_CONFIG",
        [VU_SET_CONFIG] = "SET_CONFIG",
        [VU_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
        [VU_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
        [VU_RESET_DEVICE] = "RESET_DEVICE",
        [VU_VRING_KICK] = "VRING_KICK",
        [VU_GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
        [VU_ADD_MEM_REG] = "ADD_MEM_REG",
        [VU_REM_MEM_REG] = "REM_MEM_REG",
        [VU_SET_STATUS] = "SET_STATUS",
        [VU_GET_STATUS] = "GET_STATUS",
    };

    return request < VU_REQUESTS && name[request] ? name[request] : "?";
}
