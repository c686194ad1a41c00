/* Shared by ctl.c (the socket) and ctl_client.c (one connection). */
#ifndef API_CTL_IMPL_H
#define API_CTL_IMPL_H

#include "api/ctl.h"
#include "api/json_split.h"
#include "api/qmp.h"
#include "back/listen.h"
#include "core/loop.h"

struct ctl_client {
    struct ctl *ctl;
    int fd;      /* -1: free */
    bool ending; /* it will send no more; what it is owed still goes out */
    struct json_split in;
    struct qmp qmp;
    char *out; /* what the socket did not take yet */
    size_t out_len, out_room;
    int pass; /* a descriptor that goes out with byte pass_at of out; 0: none. Not ours to close */
    size_t pass_at;
};

struct ctl {
    struct ctl_opts o;
    struct listen_place at;
    struct loop_timer retry;
    struct ctl_client client[CTL_CLIENTS];
    struct qmp *seat; /* of the client that has it; or NULL */
};

/* Takes the connection, or turns it away. */
void ctl_client_open(struct ctl *c, int fd);
void ctl_client_close(struct ctl_client *cl);
/* A line that was made to be sent: freed here; NULL ends the connection. An event is dropped if the
 * client has not read those before. */
void ctl_client_send(struct ctl_client *cl, char *line, bool event);

#endif
