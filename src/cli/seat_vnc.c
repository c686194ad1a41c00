/*
 * The process that serves VNC: RFB by libvncserver (RFC 6143), for one viewer at a time, the
 * newest. The screen is guest memory: it is compared with a copy, piece by piece, FRAMES times a
 * second while somebody looks, and libvncserver sees the copy only.
 */
#include "cli/screen.h"
#include "cli/seat.h"
#include "cli/seat_view.h"
#include "dev/ps2_keys.h"
#include <errno.h>
#include <poll.h>
#include <rfb/rfb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES  20
#define VIEWERS 4u   /* connections at once: one looks, others are about to take over */
#define WAIT_MS 3000 /* for a viewer that stops in the middle of a message */
#define TILE_W  64u
#define TILE_H  16u
#define BLANK_W 640u
#define BLANK_H 400u
#define GREY    0x00303030u

struct vnc {
    int seat, listener;
    rfbScreenInfoPtr rfb;
    struct screen screen; /* at NULL: there is nothing to see */
    uint32_t *copy;       /* width * height of rfb */
    unsigned viewers;
    char title[48];
};

/* ---- what the viewer does ---- */

static void tell(struct vnc *v, const struct vnc_said *m)
{
    /* The seat reads quickly. If it can't, this viewer waits, and nobody else. */
    (void)!send(v->seat, m, sizeof(*m), MSG_NOSIGNAL);
}

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr c)
{
    unsigned key = seat_keysym(keysym);
    struct vnc_said m = {.what = VNC_KEY, .key = (uint8_t)key, .down = down != 0};

    if (key != PS2_KEY_NONE)
        tell(c->screen->screenData, &m);
}

static void on_pointer(int buttons, int x, int y, rfbClientPtr c)
{
    struct vnc_said m = {.what = VNC_POINT, .buttons = (uint8_t)buttons};

    m.x = (uint16_t)(x < 0 ? 0 : x);
    m.y = (uint16_t)(y < 0 ? 0 : y);
    tell(c->screen->screenData, &m);
}

/* Whoever goes lets go, also one of two: the other's keys come up too, and are pressed again. */
static void on_gone(rfbClientPtr c)
{
    struct vnc *v = c->screen->screenData;
    struct vnc_said m = {.what = VNC_LEFT};

    v->viewers--;
    tell(v, &m);
}

static enum rfbNewClientAction on_viewer(rfbClientPtr c)
{
    struct vnc *v = c->screen->screenData;

    v->viewers++;
    c->clientGoneHook = on_gone;
    return RFB_CLIENT_ACCEPT;
}

static void viewer_accept(struct vnc *v)
{
    int fd = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && v->viewers >= VIEWERS)
        close(fd);
    else if (fd >= 0)
        rfbNewClient(v->rfb, fd);
}

/* ---- what there is to see ---- */

static bool tile_update(struct vnc *v, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    bool differs = false;

    for (uint32_t row = y; row < y + h; row++) {
        const uint8_t *from = v->screen.at + (size_t)row * v->screen.stride + 4 * x;
        uint32_t *to = v->copy + (size_t)row * v->screen.width + x;

        if (memcmp(to, from, 4 * w)) {
            memcpy(to, from, 4 * w);
            differs = true;
        }
    }
    return differs;
}

static void screen_look(struct vnc *v)
{
    const struct screen *s = &v->screen;

    for (uint32_t y = 0; s->at && y < s->height; y += TILE_H)
        for (uint32_t x = 0; x < s->width; x += TILE_W) {
            uint32_t w = s->width - x < TILE_W ? s->width - x : TILE_W;
            uint32_t h = s->height - y < TILE_H ? s->height - y : TILE_H;

            if (tile_update(v, x, y, w, h))
                rfbMarkRectAsModified(v->rfb, (int)x, (int)y, (int)(x + w), (int)(y + h));
        }
}

static void formats_set(rfbScreenInfoPtr r)
{
    r->serverFormat.redShift = 16;
    r->serverFormat.greenShift = 8;
    r->serverFormat.blueShift = 0;
}

/* A copy of that size, grey. False: no memory; the old one stays. */
static bool copy_make(struct vnc *v, uint32_t width, uint32_t height)
{
    size_t n = (size_t)width * height;
    uint32_t *copy = malloc(4 * n);

    if (!copy)
        return false;
    for (size_t i = 0; i < n; i++)
        copy[i] = GREY;
    if (v->rfb) {
        rfbNewFramebuffer(v->rfb, (char *)copy, (int)width, (int)height, 8, 3, 4);
        formats_set(v->rfb);
    }
    free(v->copy);
    v->copy = copy;
    return true;
}

static void show(struct vnc *v, struct vnc_show *m, int fd)
{
    struct screen s = {.width = m->width, .height = m->height, .stride = m->stride};

    m->name[sizeof(m->name) - 1] = 0;
    snprintf(v->title, sizeof(v->title), "viaduct: %s", m->name); /* for viewers to come */
    screen_unmap(&v->screen);
    if (fd >= 0 && !screen_take(&s, fd, NULL) && copy_make(v, s.width, s.height)) {
        v->screen = s;
        screen_look(v);
        rfbMarkRectAsModified(v->rfb, 0, 0, (int)s.width, (int)s.height);
        return;
    }
    screen_unmap(&s);
    if (copy_make(v, BLANK_W, BLANK_H))
        rfbMarkRectAsModified(v->rfb, 0, 0, (int)BLANK_W, (int)BLANK_H);
}

/* False: the seat has gone. */
static bool show_take(struct vnc *v)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct vnc_show m;
    struct iovec io = {&m, sizeof(m)};
    struct msghdr h = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(v->seat, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    if (n == (ssize_t)sizeof(m))
        show(v, &m, fd);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* ---- the process ---- */

static bool server_make(struct vnc *v)
{
    rfbLogEnable(0);
    if (!copy_make(v, BLANK_W, BLANK_H))
        return false;
    v->rfb = rfbGetScreen(NULL, NULL, (int)BLANK_W, (int)BLANK_H, 8, 3, 4);
    if (!v->rfb)
        return false;
    formats_set(v->rfb);
    v->rfb->frameBuffer = (char *)v->copy;
    v->rfb->screenData = v;
    v->rfb->desktopName = v->title;
    v->rfb->port = v->rfb->ipv6port = 0; /* it is handed connections */
    v->rfb->autoPort = FALSE;
    v->rfb->neverShared = TRUE; /* the newest viewer has it */
    v->rfb->dontDisconnect = FALSE;
    v->rfb->cursor = NULL; /* the guest draws its own */
    v->rfb->deferUpdateTime = 0;
    v->rfb->maxClientWait = WAIT_MS;
    v->rfb->kbdAddEvent = on_key;
    v->rfb->ptrAddEvent = on_pointer;
    v->rfb->newClientHook = on_viewer;
    rfbInitServer(v->rfb);
    return true;
}

/* The seat, who wants to come in, and those who are: then one round of libvncserver's. */
static bool turn(struct vnc *v)
{
    struct pollfd p[2 + VIEWERS + 1] = {{.fd = v->seat, .events = POLLIN},
                                        {.fd = v->listener, .events = POLLIN}};
    rfbClientIteratorPtr all = rfbGetClientIterator(v->rfb);
    rfbClientPtr c;
    nfds_t n = 2;

    while ((c = rfbClientIteratorNext(all)) && n < ARRAY_LEN(p))
        p[n++] = (struct pollfd){.fd = c->sock, .events = POLLIN};
    rfbReleaseClientIterator(all);
    if (poll(p, n, v->viewers ? 1000 / FRAMES : -1) < 0 && errno != EINTR)
        return false;
    if (p[0].revents && !show_take(v))
        return false;
    if (p[1].revents)
        viewer_accept(v);
    if (v->viewers)
        screen_look(v);
    rfbProcessEvents(v->rfb, 0);
    return true;
}

int main(void)
{
    struct vnc v = {.seat = VNC_SEAT, .listener = VNC_LISTENER};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    if (!server_make(&v) || seat_vnc_jail())
        return EXIT_FAILURE;
    while (turn(&v))
        ;
    return EXIT_SUCCESS;
}
