/*
 * State walk: save and load of device state are one function that visits each field in order.
 * On load the stream is hostile: every index and length is checked with state_check, and once the
 * cursor has failed all later visits leave their fields alone.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/types.h"

struct state {
    uint8_t *buf; /* save: grows; load: borrowed */
    size_t len, at;
    bool load;
    int err;          /* 0, -EINVAL (bad stream), -ENOMEM */
    uint32_t version; /* of the current section: on load the stream's, else the code's */
};

void state_save_begin(struct state *st); /* free with state_end */
void state_load_begin(struct state *st, const void *buf, size_t len);
/* err; frees on save (len bytes are in use up to at). A load that left bytes over has failed. */
int state_end(struct state *st);

void state_u8(struct state *st, uint8_t *v);
void state_u16(struct state *st, uint16_t *v);
void state_u32(struct state *st, uint32_t *v);
void state_u64(struct state *st, uint64_t *v);
void state_bool(struct state *st, bool *v);
void state_bytes(struct state *st, void *p, size_t len);
/* A named section with a version; on load a different name or a newer version fails. */
void state_section(struct state *st, const char *name, uint32_t version);
/* On load: fail the stream unless ok. Returns ok. */
bool state_check(struct state *st, bool ok);

#endif
