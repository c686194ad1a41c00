/*
 * The jails of what the user calls to look at machines and labs: ctl, top, metrics, console, logs,
 * ps, up, down; and at images: disk. Each enters its own when all is open and connected, and
 * nothing was read yet of who is at the other end (sandbox/rows_client.c).
 */
#ifndef CLI_CLIENT_BOX_H
#define CLI_CLIENT_BOX_H

#include "cli/cli.h"
#include "cli/run_box.h"

struct error;

/* The first member of what a verb's options fill. */
struct client {
    const char *role;
    uint64_t sets; /* BOX_BIT of each */
    enum box_mode mode;
};

/* 0, or -EINVAL with err filled: --sandbox require, and it can't be had. */
int client_box_enter(const struct client *c, struct error *err);

int client_take_sandbox(void *client, const char *value, struct error *err);
int client_take_no_sandbox(void *client, const char *value, struct error *err);
#define CLIENT_OPTIONS                                                                             \
    {"sandbox", BOX_VALUE, BOX_HELP, client_take_sandbox},                                         \
    {                                                                                              \
        "no-sandbox", NULL, BOX_NO_HELP, client_take_no_sandbox                                    \
    }

#endif
