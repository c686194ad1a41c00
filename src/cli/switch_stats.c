/* A line a port, out of the ledger; docs/net.md says what the columns are. */
#include "cli/switch_stats.h"
#include "core/ledger.h"
#include <inttypes.h>
#include <string.h>

static const struct ledger_row *row_of(const struct ledger *l, const char *dev, const char *name)
{
    static const struct ledger_row none;
    const struct ledger_row *row = ledger_find(l, LEDGER_SWITCH, dev, name);

    return row ? row : &none;
}

/* By what is plugged in there: system calls, and gathering of short frames. */
static uint64_t copied(const struct ledger *l, const char *dev)
{
    uint64_t sum = 0;

    for (const struct ledger_row *row = ledger_first(l); row; row = row->next)
        if (row->kind == LEDGER_NET && !strcmp(row->dev, dev))
            sum += row->copied;
    return sum;
}

static void port_print(const struct ledger *l, const char *dev, FILE *out)
{
    static const char *const refused[] = {"to",   "spoofed", "bad",     "crowded",
                                          "vlan", "storm",   "isolated"};
    const struct ledger_row *from = row_of(l, dev, "from"), *to = row_of(l, dev, "to");
    const char *dot = strchr(dev, '.');

    fprintf(out, "%3s  %5" PRIu64 " %14" PRIu64 " %15" PRIu64 " %15" PRIu64 " %15" PRIu64,
            dot ? dot + 1 : dev, row_of(l, dev, "peer")->writes, from->writes, from->write_bytes,
            to->reads, to->read_bytes);
    for (unsigned i = 0; i < ARRAY_LEN(refused); i++)
        fprintf(out, " %9" PRIu64, row_of(l, dev, refused[i])->refused);
    fprintf(out, " %15" PRIu64 "\n", copied(l, dev));
}

void switch_stats_print(const struct ledger *l, FILE *out)
{
    fprintf(out, "port peers      in frames        in bytes      out frames       out bytes  "
                 " dropped   spoofed       bad   crowded      vlan     storm  isolated    copied "
                 "bytes\n");
    for (const struct ledger_row *row = ledger_first(l); row; row = row->next)
        if (row->kind == LEDGER_SWITCH && !strcmp(row->name, "from"))
            port_print(l, row->dev, out);
}
