/*
 * The control protocol: what a message says and what is answered. It is QEMU's machine protocol
 * (QMP) as far as both have the same things, so that its clients work; docs/control.md lists the
 * commands. No socket here, and no machine: qmp_ops stands for it, the VM lock is held.
 */
#ifndef API_QMP_H
#define API_QMP_H

#include "core/types.h"

struct cJSON;
struct metrics_source;
struct typist;

struct qmp_disk {
    const char *path;
    bool readonly;
    uint64_t bytes;
};

struct qmp_patching { /* of instructions; now: how many are patched */
    bool on;
    unsigned now;
    uint64_t made, restored, lost, refused, copies;
};

struct qmp_port { /* of the virtio console */
    const char *name;
    bool plugged, open;
};

struct qmp_screen {
    uint32_t width, height, stride; /* 32 bits a pixel, blue in the lowest byte */
    int fd;                         /* to be passed on; ours */
};

struct qmp_ops { /* the machine */
    /* It is none: a domain, a switch. Then it has quit, disks, disk and metrics, and the commands
     * for those. */
    bool service;
    bool (*paused)(void *vm);
    void (*pause)(void *vm, bool on);
    int (*button)(void *vm); /* 0 or -ENODEV */
    void (*quit)(void *vm);
    struct typist *(*typist)(void *vm); /* NULL: no keyboard, no mouse */
    unsigned (*vcpus)(void *vm);
    unsigned (*disks)(void *vm);
    void (*disk)(void *vm, unsigned n, struct qmp_disk *out);
    /* False, or NULL: this machine patches nothing. */
    bool (*patching)(void *vm, struct qmp_patching *out);
    void (*patch)(void *vm, bool on);
    /* Bytes the guest is to have, and has. -ENODEV, or NULL: no balloon; -EINVAL. */
    int (*balloon_set)(void *vm, uint64_t bytes);
    int (*balloon_get)(void *vm, uint64_t *bytes);
    /* The nth named port; false, or NULL: there are not so many. */
    bool (*port)(void *vm, unsigned n, struct qmp_port *out);
    int (*plug)(void *vm, const char *name, bool plugged); /* 0 or -ENOENT */
    bool (*screen)(void *vm, struct qmp_screen *out);      /* false, or NULL: there is none */
    bool (*metrics)(void *vm, struct metrics_source *out); /* the same */
};

#define QMP_HELD 32 /* bytes: a bit for every key there can be */

struct qmp { /* one client's conversation */
    const struct qmp_ops *ops;
    void *vm;
    /* Tells every client; data may be NULL, and is taken. */
    void (*event)(void *ctx, const char *name, struct cJSON *data);
    void *ctx;
    bool ready; /* qmp_capabilities was said */
    int pass;   /* a descriptor, ours, that goes with the answer just made; 0: none */
    /* Who of all clients has the seat; NULL here: this machine has none to give. */
    struct qmp **seat;
    uint8_t held[QMP_HELD]; /* what he who has it holds down: keys of dev/ps2_keys.h … */
    uint8_t held_buttons;   /* … and PS2_LEFT … */
};

/* Each a line to send, to be freed; NULL: no memory. */
char *qmp_greeting(void);
char *qmp_answer(struct qmp *q, const char *message, size_t len);
void qmp_end(struct qmp *q);        /* the client has gone: nobody holds its keys any more */
char *qmp_refusal(const char *why); /* for what is no message at all */
char *qmp_event(const char *name, struct cJSON *data);

#endif
