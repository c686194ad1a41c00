/* Switches inside viaduct domain: --switch, --port, and where --net port=NAME finds them. */
#ifndef CLI_DOMAIN_SWITCH_H
#define CLI_DOMAIN_SWITCH_H

#include "cli/switch_place.h"

#define DOMAIN_SWITCHES   8u
#define DOMAIN_PORTS      32u
#define DOMAIN_PORT_VALUE "NAME," SWITCH_PLACE_VALUE

struct domain_switch {
    char name[16];
    uint64_t age_ns;
    struct sw *sw;
};

struct domain_port {
    char on[16]; /* the switch's name */
    struct switch_place place;
};

struct domain_switches {
    struct domain_switch sw[DOMAIN_SWITCHES];
    struct domain_port port[DOMAIN_PORTS];
    unsigned switches, ports;
    struct log_budget budget;
};

/* 0 or -EINVAL with err filled. */
int domain_switch_take(struct domain_switches *d, const char *value, struct error *err);
int domain_port_take(struct domain_switches *d, const char *value, struct error *err);
/* Before the cards; closed after them. 0 or -errno with err filled. */
int domain_switches_open(struct domain_switches *d, struct loop *loop, struct ledger *ledger,
                         struct error *err);
void domain_switches_close(struct domain_switches *d);
/* NULL with err filled: there is no such switch; option is what named it. */
struct sw *domain_switch_find(struct domain_switches *d, const char *name, const char *option,
                              struct error *err);

#endif
