/* Shared by the files of the protocol. */
#ifndef API_QMP_IMPL_H
#define API_QMP_IMPL_H

#include "api/qmp.h"
#include "core/error.h"
#include <cJSON.h>

#define QMP_ARGS 4

struct qmp_call {
    struct qmp *q;
    const cJSON *args; /* an object; its members are known ones */
    const char *class; /* of an error; NULL: GenericError */
    struct error err;
};

struct qmp_command {
    const char *name;
    /* What to return, or NULL with call->err filled. qmp_nothing(): the empty object. */
    cJSON *(*run)(struct qmp_call *c);
    const char *arg[QMP_ARGS]; /* that may be there */
};

extern const struct qmp_command qmp_common[], qmp_machine[], qmp_input[], qmp_patch[],
    qmp_balloon[], qmp_ports[], qmp_seat[], qmp_metrics[]; /* end with name NULL */

/* The nth table of those that this one obeys; NULL: there are not so many. */
const struct qmp_command *qmp_table(const struct qmp *q, unsigned n);
cJSON *qmp_nothing(void);
/* qmp_seat.c: remembers what the client holds down, if it has the seat. */
void qmp_hold(struct qmp *q, unsigned key, bool down);
void qmp_hold_buttons(struct qmp *q, unsigned buttons, bool down);
/* Fills the error; always NULL. */
cJSON *qmp_fail(struct qmp_call *c, const char *class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A member that must be there, of a kind: NULL with the error filled. */
const cJSON *qmp_string(struct qmp_call *c, const cJSON *from, const char *name);
const cJSON *qmp_array(struct qmp_call *c, const cJSON *from, const char *name);
const cJSON *qmp_object(struct qmp_call *c, const cJSON *from, const char *name);
bool qmp_bool(struct qmp_call *c, const cJSON *from, const char *name, bool *v);
bool qmp_int(struct qmp_call *c, const cJSON *from, const char *name, int min, int max, int *v);

#endif
