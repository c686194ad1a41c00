/* The tables of keys (docs/lab.md), and finding one. */
#include "cli/lab_keys.h"
#include <string.h>

#define TEXT   KEY_TEXT
#define NUMBER KEY_NUMBER
#define BOOL   KEY_BOOL
#define LIST   KEY_LIST
#define TABLE  KEY_TABLE
#define NO     KEY_NO_PATH
#define PATH   KEY_PATH
#define THERE  KEY_THERE

/* One line a key; the words of a disk or card come in this order. */
/* clang-format off */
static const struct lab_key disk_keys[] = {
    {"file",     TEXT,          KEY_FIRST, "", THERE, NULL, NULL},
    {"mem",      TEXT,          KEY_FIRST, "mem:", NO, NULL, NULL},
    {"domain",   TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"vhost-user", TEXT,        KEY_FIRST, "vhost-user=", PATH, NULL, NULL},
    {"wait",     BOOL,          KEY_WORD,  "wait", NO, NULL, NULL},
    {"size",     TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"extent",   TEXT,          KEY_WORD,  "extent", NO, NULL, NULL},
    {"direct",   BOOL,          KEY_WORD,  "direct", NO, NULL, NULL},
    {"iops",     NUMBER,        KEY_WORD,  "iops", NO, NULL, NULL},
    {"bps",      TEXT | NUMBER, KEY_WORD,  "bps", NO, NULL, NULL},
    {"burst",    NUMBER,        KEY_WORD,  "burst", NO, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", NO, NULL, NULL},
    {"readonly", BOOL,          KEY_WORD,  "readonly", NO, NULL, NULL},
    {"serial",   TEXT,          KEY_WORD,  "serial", NO, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", NO, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", NO, NULL, NULL},
    {"trap",     TEXT,          KEY_WORD,  "trap", NO, NULL, NULL},
    {0}};

/* What is said about a port of a switch: share/sw_policy.h. */
#define PORT_RULES(DOES) \
    {"ip",       TEXT | LIST,   DOES,  "ip", NO, NULL, NULL}, \
    {"vlan",     NUMBER,        DOES,  "vlan", NO, NULL, NULL}, \
    {"vlans",    TEXT,          DOES,  "vlans", NO, NULL, NULL}, \
    {"native",   NUMBER,        DOES,  "native", NO, NULL, NULL}, \
    {"rate",     TEXT,          DOES,  "rate", NO, NULL, NULL}, \
    {"rate-from", TEXT,         DOES,  "rate-from", NO, NULL, NULL}, \
    {"rate-to",  TEXT,          DOES,  "rate-to", NO, NULL, NULL}, \
    {"burst",    TEXT,          DOES,  "burst", NO, NULL, NULL}, \
    {"weight",   NUMBER,        DOES,  "weight", NO, NULL, NULL}, \
    {"storm",    NUMBER,        DOES,  "storm", NO, NULL, NULL}, \
    {"macs",     NUMBER,        DOES,  "macs", NO, NULL, NULL}, \
    {"queue",    TEXT,          DOES,  "queue", NO, NULL, NULL}, \
    {"isolate",  BOOL,          DOES,  "isolate", NO, NULL, NULL}

static const struct lab_key net_keys[] = {
    {"network",  TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"user",     BOOL,          KEY_FIRST, "user", NO, NULL, NULL},
    {"tap",      TEXT,          KEY_FIRST, "tap=", NO, NULL, NULL},
    {"switch",   TEXT,          KEY_FIRST, "switch=", PATH, NULL, NULL},
    {"null",     BOOL,          KEY_FIRST, "null", NO, NULL, NULL},
    {"domain",   TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"vhost-user", TEXT,        KEY_FIRST, "vhost-user=", PATH, NULL, NULL},
    {"wait",     BOOL,          KEY_WORD,  "wait", NO, NULL, NULL},
    {"forward",  TEXT | LIST,   KEY_WORD,  "forward", NO, NULL, NULL},
    {"host",     TEXT,          KEY_WORD,  "host", NO, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", NO, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", NO, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", NO, NULL, NULL},
    {"offload",  TEXT,          KEY_WORD,  "offload", NO, NULL, NULL},
    {"mac",      TEXT,          KEY_WORD,  "mac", NO, NULL, NULL},
    {"pcap",     TEXT,          KEY_WORD,  "pcap", PATH, NULL, NULL},
    {"snaplen",  NUMBER,        KEY_WORD,  "snaplen", NO, NULL, NULL},
    {"lock",     BOOL,          KEY_PORT,  NULL, NO, NULL, NULL}, /* mac= of this very card */
    PORT_RULES(KEY_PORT),
    {0}};

static const struct lab_key share_keys[] = {
    {"dir",      TEXT,          KEY_FIRST, "", THERE, NULL, NULL},
    {"tag",      TEXT,          KEY_WORD,  "tag", NO, NULL, NULL},
    {"readonly", BOOL,          KEY_WORD,  "readonly", NO, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", NO, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", NO, NULL, NULL},
    {0}};

static const struct lab_key vsock_keys[] = {
    {"cid",      TEXT | NUMBER, KEY_FIRST, "cid=", NO, NULL, NULL},
    {"path",     TEXT,          KEY_WORD,  "path", PATH, NULL, NULL},
    {"peer",     TEXT | LIST,   KEY_WORD,  "peer", NO, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", NO, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", NO, NULL, NULL},
    {0}};

static const struct lab_key domain_disk_keys[] = {
    {"name",     TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"file",     TEXT,          KEY_FIRST, "", THERE, NULL, NULL},
    {"mem",      TEXT,          KEY_FIRST, "mem:", NO, NULL, NULL},
    {"size",     TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"readonly", BOOL,          KEY_WORD,  "readonly", NO, NULL, NULL},
    {"extent",   TEXT,          KEY_WORD,  "extent", NO, NULL, NULL},
    {"direct",   BOOL,          KEY_WORD,  "direct", NO, NULL, NULL},
    {"iops",     NUMBER,        KEY_WORD,  "iops", NO, NULL, NULL},
    {"bps",      TEXT | NUMBER, KEY_WORD,  "bps", NO, NULL, NULL},
    {"burst",    NUMBER,        KEY_WORD,  "burst", NO, NULL, NULL},
    {"weight",   NUMBER,        KEY_WORD,  "weight", NO, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", NO, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", NO, NULL, NULL},
    {"in-order", BOOL,          KEY_WORD,  "in-order", NO, NULL, NULL},
    {"serial",   TEXT,          KEY_WORD,  "serial", NO, NULL, NULL},
    {0}};

static const struct lab_key domain_net_keys[] = {
    {"name",     TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"port",     TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"network",  TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"user",     BOOL,          KEY_FIRST, "user", NO, NULL, NULL},
    {"tap",      TEXT,          KEY_FIRST, "tap=", NO, NULL, NULL},
    {"null",     BOOL,          KEY_FIRST, "null", NO, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", NO, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", NO, NULL, NULL},
    {"in-order", BOOL,          KEY_WORD,  "in-order", NO, NULL, NULL},
    {"pcap",     TEXT,          KEY_WORD,  "pcap", PATH, NULL, NULL},
    {"lock",     BOOL,          KEY_PORT,  NULL, NO, NULL, NULL}, /* mac= of the machine's card */
    {"mac",      TEXT,          KEY_PORT,  "mac", NO, NULL, NULL},
    PORT_RULES(KEY_PORT),
    {0}};

static const struct lab_key domain_switch_keys[] = {
    {"name",     TEXT,          KEY_FIRST, "", NO, NULL, NULL},
    {"age",      NUMBER,        KEY_WORD,  "age", NO, NULL, NULL},
    {0}};

static const struct lab_key domain_port_keys[] = {
    {"switch",   TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"tap",      TEXT,          KEY_WORD,  "tap", NO, NULL, NULL},
    {"user",     BOOL,          KEY_WORD,  "user", NO, NULL, NULL},
    {"socket",   TEXT,          KEY_WORD,  "socket", PATH, NULL, NULL},
    {"network",  TEXT,          KEY_OWN,   NULL, NO, NULL, NULL},
    {"peers",    NUMBER,        KEY_WORD,  "peers", NO, NULL, NULL},
    {"pcap",     TEXT,          KEY_WORD,  "pcap", PATH, NULL, NULL},
    {"uplink",   BOOL,          KEY_WORD,  "uplink", NO, NULL, NULL},
    {"name",     TEXT,          KEY_WORD,  "name", NO, NULL, NULL},
    {"mac",      TEXT,          KEY_WORD,  "mac", NO, NULL, NULL},
    PORT_RULES(KEY_WORD),
    {0}};

static const struct lab_key network_port_keys[] = {
    {"tap",      TEXT,          KEY_FIRST, "tap=", NO, NULL, NULL},
    {"user",     BOOL,          KEY_FIRST, "user", NO, NULL, NULL},
    {"socket",   TEXT,          KEY_FIRST, "socket=", PATH, NULL, NULL},
    {"switch",   TEXT,          KEY_FIRST, "switch=", PATH, NULL, NULL},
    {"peers",    NUMBER,        KEY_WORD,  "peers", NO, NULL, NULL},
    {"pcap",     TEXT,          KEY_WORD,  "pcap", PATH, NULL, NULL},
    {"uplink",   BOOL,          KEY_WORD,  "uplink", NO, NULL, NULL},
    {"name",     TEXT,          KEY_WORD,  "name", NO, NULL, NULL},
    {"mac",      TEXT,          KEY_WORD,  "mac", NO, NULL, NULL},
    PORT_RULES(KEY_WORD),
    {0}};

#define DISK_FIRST  "file, mem, domain or vhost-user"
#define NET_FIRST   "network, domain, user, tap, switch, vhost-user or null"
#define SERVED_DISK "file or mem"
#define SERVED_NET  "port, network, user, tap or null"
#define SWITCH_NAME "name"
#define PORT_ON     "switch"
#define PORT_OF     "tap, user, socket or switch"
#define SHARE_FIRST "dir"
#define VSOCK_FIRST "cid"

const struct lab_key lab_vm_keys[] = {
    {"count",    NUMBER,        KEY_OWN,    NULL, NO, NULL, NULL},
    {"ready",    TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"restart",  TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"stop",     TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"stop-timeout", NUMBER,    KEY_OWN,    NULL, NO, NULL, NULL},
    {"engine",   TEXT,          KEY_OPTION, "--engine", NO, NULL, NULL},
    {"irqchip",  TEXT,          KEY_OPTION, "--irqchip", NO, NULL, NULL},
    {"board",    TEXT,          KEY_OPTION, "--board", NO, NULL, NULL},
    {"cpus",     NUMBER,        KEY_OPTION, "--cpus", NO, NULL, NULL},
    {"memory",   TEXT | NUMBER, KEY_OPTION, "--memory", NO, NULL, NULL},
    {"kernel",   TEXT,          KEY_OPTION, "--kernel", THERE, NULL, NULL},
    {"initrd",   TEXT | LIST,   KEY_OPTION, "--initrd", THERE, NULL, NULL},
    {"append",   TEXT,          KEY_OPTION, "--append", NO, NULL, NULL},
    {"boot",     TEXT,          KEY_OPTION, "--boot", NO, NULL, NULL},
    {"guest",    TEXT,          KEY_OPTION, "--guest", THERE, NULL, NULL},
    {"disk",     LIST | TABLE,  KEY_TABLES, "--disk", NO, disk_keys, DISK_FIRST},
    {"net",      LIST | TABLE,  KEY_TABLES, "--net", NO, net_keys, NET_FIRST},
    {"share",    LIST | TABLE,  KEY_TABLES, "--share", NO, share_keys, SHARE_FIRST},
    {"input",    TEXT | LIST,   KEY_OPTION, "--input", NO, NULL, NULL},
    {"screen",   TEXT,          KEY_OPTION, "--screen", NO, NULL, NULL},
    {"rng",      TEXT | BOOL,   KEY_OPTION, "--rng", NO, NULL, NULL},
    {"balloon",  TEXT | BOOL,   KEY_OPTION, "--balloon", NO, NULL, NULL},
    {"vsock",    TEXT | TABLE,  KEY_TABLES, "--vsock", NO, vsock_keys, VSOCK_FIRST},
    {"check",    TEXT,          KEY_OPTION, "--check", NO, NULL, NULL},
    {"ledger",   TEXT,          KEY_OPTION, "--ledger", PATH, NULL, NULL},
    {"timeout",  TEXT | NUMBER, KEY_OPTION, "--timeout", NO, NULL, NULL},
    {"realtime", NUMBER,        KEY_OPTION, "--realtime", NO, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, NO, NULL, NULL},
    {0}};

const struct lab_key lab_network_keys[] = {
    {"restart",  TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"age",      NUMBER,        KEY_OPTION, "--age", NO, NULL, NULL},
    {"realtime", NUMBER,        KEY_OPTION, "--realtime", NO, NULL, NULL},
    {"stats",    BOOL,          KEY_OPTION, "--stats", NO, NULL, NULL},
    {"port",     TEXT | LIST | TABLE, KEY_TABLES, "--port", NO, network_port_keys, PORT_OF},
    {"ledger",   TEXT,          KEY_OPTION, "--ledger", PATH, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, NO, NULL, NULL},
    {0}};

const struct lab_key lab_domain_keys[] = {
    {"restart",  TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"disk",     LIST | TABLE,  KEY_TABLES, "--disk", NO, domain_disk_keys, SERVED_DISK},
    {"net",      LIST | TABLE,  KEY_TABLES, "--net", NO, domain_net_keys, SERVED_NET},
    {"switch",   TEXT | LIST | TABLE, KEY_TABLES, "--switch", NO, domain_switch_keys, SWITCH_NAME},
    {"port",     LIST | TABLE,  KEY_TABLES, "--port", NO, domain_port_keys, PORT_ON},
    {"realtime", NUMBER,        KEY_OPTION, "--realtime", NO, NULL, NULL},
    {"poll",     NUMBER,        KEY_OPTION, "--poll", NO, NULL, NULL},
    {"ledger",   TEXT,          KEY_OPTION, "--ledger", PATH, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, NO, NULL, NULL},
    {0}};

const struct lab_key lab_seat_keys[] = {
    {"restart",  TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"vms",      LIST,          KEY_OWN,    NULL, NO, NULL, NULL},
    {"vnc",      TEXT,          KEY_OPTION, "--vnc", NO, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, NO, NULL, NULL},
    {0}};

const struct lab_key lab_keys[] = {
    {"name",     TEXT,          KEY_OWN,    NULL, NO, NULL, NULL},
    {0}};
/* clang-format on */

const struct lab_key *lab_key_find(const struct lab_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (!strcmp(keys->name, name))
            return keys;
    return NULL;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* How many letters are to be put in, taken out or changed (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[33], was, next;
    size_t n = strlen(b);

    if (n > 32 || strlen(a) > 32)
        return 99;
    for (unsigned k = 0; k <= n; k++)
        row[k] = k;
    for (unsigned i = 1; a[i - 1]; i++) {
        was = row[0];
        row[0] = i;
        for (unsigned k = 1; k <= n; k++) {
            next = least(row[k] + 1, row[k - 1] + 1, was + (a[i - 1] != b[k - 1]));
            was = row[k];
            row[k] = next;
        }
    }
    return row[n];
}

const char *lab_key_near(const struct lab_key *keys, const char *name)
{
    unsigned most = (unsigned)strlen(name) / 2, d;
    const char *near = NULL;

    for (; keys->name; keys++) {
        d = distance(name, keys->name);
        if (d <= most && (!near || d < distance(name, near)))
            near = keys->name;
    }
    return near;
}
