/* The tables of keys (docs/lab.md), and finding one. */
#include "cli/lab_keys.h"
#include <string.h>

#define TEXT   KEY_TEXT
#define NUMBER KEY_NUMBER
#define BOOL   KEY_BOOL
#define LIST   KEY_LIST
#define TABLE  KEY_TABLE

/* One line a key; the words of a disk or card come in this order. */
/* clang-format off */
static const struct lab_key disk_keys[] = {
    {"file",     TEXT,          KEY_FIRST, "", true, NULL, NULL},
    {"mem",      TEXT,          KEY_FIRST, "mem:", false, NULL, NULL},
    {"domain",   TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"vhost-user", TEXT,        KEY_FIRST, "vhost-user=", true, NULL, NULL},
    {"wait",     BOOL,          KEY_WORD,  "wait", false, NULL, NULL},
    {"size",     TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"extent",   TEXT,          KEY_WORD,  "extent", false, NULL, NULL},
    {"iops",     NUMBER,        KEY_WORD,  "iops", false, NULL, NULL},
    {"bps",      TEXT | NUMBER, KEY_WORD,  "bps", false, NULL, NULL},
    {"burst",    NUMBER,        KEY_WORD,  "burst", false, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", false, NULL, NULL},
    {"readonly", BOOL,          KEY_WORD,  "readonly", false, NULL, NULL},
    {"serial",   TEXT,          KEY_WORD,  "serial", false, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", false, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", false, NULL, NULL},
    {"trap",     TEXT,          KEY_WORD,  "trap", false, NULL, NULL},
    {0}};

static const struct lab_key net_keys[] = {
    {"network",  TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"user",     BOOL,          KEY_FIRST, "user", false, NULL, NULL},
    {"tap",      TEXT,          KEY_FIRST, "tap=", false, NULL, NULL},
    {"switch",   TEXT,          KEY_FIRST, "switch=", true, NULL, NULL},
    {"null",     BOOL,          KEY_FIRST, "null", false, NULL, NULL},
    {"domain",   TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"vhost-user", TEXT,        KEY_FIRST, "vhost-user=", true, NULL, NULL},
    {"wait",     BOOL,          KEY_WORD,  "wait", false, NULL, NULL},
    {"forward",  TEXT | LIST,   KEY_WORD,  "forward", false, NULL, NULL},
    {"host",     TEXT,          KEY_WORD,  "host", false, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", false, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", false, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", false, NULL, NULL},
    {"offload",  TEXT,          KEY_WORD,  "offload", false, NULL, NULL},
    {"mac",      TEXT,          KEY_WORD,  "mac", false, NULL, NULL},
    {"pcap",     TEXT,          KEY_WORD,  "pcap", true, NULL, NULL},
    {"snaplen",  NUMBER,        KEY_WORD,  "snaplen", false, NULL, NULL},
    {"lock",     BOOL,          KEY_PORT,  NULL, false, NULL, NULL}, /* mac= of this very card */
    {"ip",       TEXT | LIST,   KEY_PORT,  "ip", false, NULL, NULL},
    {"vlan",     NUMBER,        KEY_PORT,  "vlan", false, NULL, NULL},
    {"vlans",    TEXT,          KEY_PORT,  "vlans", false, NULL, NULL},
    {"native",   NUMBER,        KEY_PORT,  "native", false, NULL, NULL},
    {"rate",     TEXT,          KEY_PORT,  "rate", false, NULL, NULL},
    {"rate-from", TEXT,         KEY_PORT,  "rate-from", false, NULL, NULL},
    {"rate-to",  TEXT,          KEY_PORT,  "rate-to", false, NULL, NULL},
    {"burst",    TEXT,          KEY_PORT,  "burst", false, NULL, NULL},
    {"weight",   NUMBER,        KEY_PORT,  "weight", false, NULL, NULL},
    {"storm",    NUMBER,        KEY_PORT,  "storm", false, NULL, NULL},
    {"macs",     NUMBER,        KEY_PORT,  "macs", false, NULL, NULL},
    {"queue",    TEXT,          KEY_PORT,  "queue", false, NULL, NULL},
    {"isolate",  BOOL,          KEY_PORT,  "isolate", false, NULL, NULL},
    {0}};

static const struct lab_key share_keys[] = {
    {"dir",      TEXT,          KEY_FIRST, "", true, NULL, NULL},
    {"tag",      TEXT,          KEY_WORD,  "tag", false, NULL, NULL},
    {"readonly", BOOL,          KEY_WORD,  "readonly", false, NULL, NULL},
    {"via",      TEXT,          KEY_WORD,  "via", false, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", false, NULL, NULL},
    {0}};

static const struct lab_key domain_disk_keys[] = {
    {"name",     TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"file",     TEXT,          KEY_FIRST, "", true, NULL, NULL},
    {"mem",      TEXT,          KEY_FIRST, "mem:", false, NULL, NULL},
    {"size",     TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"readonly", BOOL,          KEY_WORD,  "readonly", false, NULL, NULL},
    {"extent",   TEXT,          KEY_WORD,  "extent", false, NULL, NULL},
    {"iops",     NUMBER,        KEY_WORD,  "iops", false, NULL, NULL},
    {"bps",      TEXT | NUMBER, KEY_WORD,  "bps", false, NULL, NULL},
    {"burst",    NUMBER,        KEY_WORD,  "burst", false, NULL, NULL},
    {"weight",   NUMBER,        KEY_WORD,  "weight", false, NULL, NULL},
    {"queues",   NUMBER,        KEY_WORD,  "queues", false, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", false, NULL, NULL},
    {"in-order", BOOL,          KEY_WORD,  "in-order", false, NULL, NULL},
    {"serial",   TEXT,          KEY_WORD,  "serial", false, NULL, NULL},
    {0}};

static const struct lab_key domain_net_keys[] = {
    {"name",     TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"network",  TEXT,          KEY_OWN,   NULL, false, NULL, NULL},
    {"user",     BOOL,          KEY_FIRST, "user", false, NULL, NULL},
    {"tap",      TEXT,          KEY_FIRST, "tap=", false, NULL, NULL},
    {"null",     BOOL,          KEY_FIRST, "null", false, NULL, NULL},
    {"packed",   BOOL,          KEY_WORD,  "packed", false, NULL, NULL},
    {"in-order", BOOL,          KEY_WORD,  "in-order", false, NULL, NULL},
    {"pcap",     TEXT,          KEY_WORD,  "pcap", true, NULL, NULL},
    {0}};

#define DISK_FIRST  "file, mem, domain or vhost-user"
#define NET_FIRST   "network, domain, user, tap, switch, vhost-user or null"
#define SERVED_DISK "file or mem"
#define SERVED_NET  "network, user, tap or null"
#define SHARE_FIRST "dir"

const struct lab_key lab_vm_keys[] = {
    {"count",    NUMBER,        KEY_OWN,    NULL, false, NULL, NULL},
    {"ready",    TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
    {"restart",  TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
    {"stop",     TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
    {"stop-timeout", NUMBER,    KEY_OWN,    NULL, false, NULL, NULL},
    {"engine",   TEXT,          KEY_OPTION, "--engine", false, NULL, NULL},
    {"irqchip",  TEXT,          KEY_OPTION, "--irqchip", false, NULL, NULL},
    {"board",    TEXT,          KEY_OPTION, "--board", false, NULL, NULL},
    {"cpus",     NUMBER,        KEY_OPTION, "--cpus", false, NULL, NULL},
    {"memory",   TEXT | NUMBER, KEY_OPTION, "--memory", false, NULL, NULL},
    {"kernel",   TEXT,          KEY_OPTION, "--kernel", true, NULL, NULL},
    {"initrd",   TEXT | LIST,   KEY_OPTION, "--initrd", true, NULL, NULL},
    {"append",   TEXT,          KEY_OPTION, "--append", false, NULL, NULL},
    {"boot",     TEXT,          KEY_OPTION, "--boot", false, NULL, NULL},
    {"guest",    TEXT,          KEY_OPTION, "--guest", true, NULL, NULL},
    {"disk",     LIST | TABLE,  KEY_TABLES, "--disk", false, disk_keys, DISK_FIRST},
    {"net",      LIST | TABLE,  KEY_TABLES, "--net", false, net_keys, NET_FIRST},
    {"share",    LIST | TABLE,  KEY_TABLES, "--share", false, share_keys, SHARE_FIRST},
    {"input",    TEXT | LIST,   KEY_OPTION, "--input", false, NULL, NULL},
    {"screen",   TEXT,          KEY_OPTION, "--screen", false, NULL, NULL},
    {"rng",      TEXT | BOOL,   KEY_OPTION, "--rng", false, NULL, NULL},
    {"balloon",  TEXT | BOOL,   KEY_OPTION, "--balloon", false, NULL, NULL},
    {"vsock",    TEXT,          KEY_OPTION, "--vsock", false, NULL, NULL},
    {"check",    TEXT,          KEY_OPTION, "--check", false, NULL, NULL},
    {"ledger",   TEXT,          KEY_OPTION, "--ledger", true, NULL, NULL},
    {"timeout",  TEXT | NUMBER, KEY_OPTION, "--timeout", false, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, false, NULL, NULL},
    {0}};

const struct lab_key lab_network_keys[] = {
    {"restart",  TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
    {"age",      NUMBER,        KEY_OPTION, "--age", false, NULL, NULL},
    {"stats",    BOOL,          KEY_OPTION, "--stats", false, NULL, NULL},
    {"port",     TEXT | LIST,   KEY_OPTION, "--port", false, NULL, NULL},
    {"ledger",   TEXT,          KEY_OPTION, "--ledger", true, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, false, NULL, NULL},
    {0}};

const struct lab_key lab_domain_keys[] = {
    {"restart",  TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
    {"disk",     LIST | TABLE,  KEY_TABLES, "--disk", false, domain_disk_keys, SERVED_DISK},
    {"net",      LIST | TABLE,  KEY_TABLES, "--net", false, domain_net_keys, SERVED_NET},
    {"poll",     NUMBER,        KEY_OPTION, "--poll", false, NULL, NULL},
    {"ledger",   TEXT,          KEY_OPTION, "--ledger", true, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, false, NULL, NULL},
    {0}};

const struct lab_key lab_seat_keys[] = {
    {"restart",  TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
    {"vms",      LIST,          KEY_OWN,    NULL, false, NULL, NULL},
    {"vnc",      TEXT,          KEY_OPTION, "--vnc", false, NULL, NULL},
    {"options",  LIST,          KEY_RAW,    NULL, false, NULL, NULL},
    {0}};

const struct lab_key lab_keys[] = {
    {"name",     TEXT,          KEY_OWN,    NULL, false, NULL, NULL},
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
