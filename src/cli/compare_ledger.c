/* A child's ledger (docs/ledger.md, its JSON), and what the difference of two says of a request. */
#include "cli/compare_child.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER_BYTES_MAX (4 << 20)

static double number(const cJSON *row, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(row, name));
}

static void text(const cJSON *row, const char *name, char *to, size_t room)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, name));

    snprintf(to, room, "%s", s ? s : "");
}

static void row_read(struct compare_row *r, const cJSON *row)
{
    text(row, "kind", r->kind, sizeof(r->kind));
    text(row, "dev", r->dev, sizeof(r->dev));
    text(row, "name", r->name, sizeof(r->name));
    r->reads = number(row, "reads");
    r->writes = number(row, "writes");
    r->read_bytes = number(row, "read_bytes");
    r->write_bytes = number(row, "write_bytes");
    r->refused = number(row, "refused");
    r->copied = number(row, "copied");
}

int compare_ledger_read(struct compare_ledger *l, int fd, struct error *err)
{
    struct stat st;
    char *at = MAP_FAILED;
    cJSON *all = NULL, *rows, *row;
    int code = 0;

    if (!fstat(fd, &st) && st.st_size > 0 && st.st_size <= LEDGER_BYTES_MAX)
        at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at != MAP_FAILED)
        all = cJSON_ParseWithLength(at, (size_t)st.st_size);
    rows = cJSON_GetObjectItemCaseSensitive(all, "rows");
    l->rows = 0;
    l->row = calloc((size_t)cJSON_GetArraySize(rows) + 1, sizeof(*l->row));
    if (!l->row)
        code = error_set(err, -ENOMEM, "out of memory");
    else if (!cJSON_IsArray(rows) || !cJSON_GetArraySize(rows))
        code = error_set(err, -EBADMSG, "left no ledger");
    if (!code)
        cJSON_ArrayForEach(row, rows) row_read(&l->row[l->rows++], row);
    cJSON_Delete(all);
    if (at != MAP_FAILED)
        munmap(at, (size_t)st.st_size);
    return code;
}

void compare_ledger_free(struct compare_ledger *l)
{
    free(l->row);
    *l = (struct compare_ledger){0};
}

/* ---- sums over rows; NULL: any ---- */

enum dev_class { DEV_ANY, DEV_DISK, DEV_CHIPS, DEV_CONSOLE };

static enum dev_class class_of(const char *dev)
{
    if (!strncmp(dev, "com", 3) || !strncmp(dev, "debug", 5))
        return DEV_CONSOLE;
    if (strstr(dev, "apic") || !strncmp(dev, "pic", 3))
        return DEV_CHIPS;
    return DEV_DISK;
}

static struct compare_row sum(const struct compare_ledger *l, const char *kind,
                              enum dev_class class, const char *name)
{
    struct compare_row s = {0};

    for (unsigned i = 0; i < l->rows; i++) {
        const struct compare_row *r = &l->row[i];

        if ((kind && strcmp(r->kind, kind)) || (name && strcmp(r->name, name)) ||
            (class && class_of(r->dev) != class))
            continue;
        s.reads += r->reads;
        s.writes += r->writes;
        s.read_bytes += r->read_bytes;
        s.write_bytes += r->write_bytes;
        s.refused += r->refused;
        s.copied += r->copied;
    }
    return s;
}

/* The growth of such rows, a request. */
static struct compare_row grown(const struct compare_runs *p, const char *kind,
                                enum dev_class class, const char *name)
{
    struct compare_row a = sum(p->few, kind, class, name), b = sum(p->many, kind, class, name);

    b.reads = (b.reads - a.reads) / p->requests;
    b.writes = (b.writes - a.writes) / p->requests;
    b.read_bytes = (b.read_bytes - a.read_bytes) / p->requests;
    b.write_bytes = (b.write_bytes - a.write_bytes) / p->requests;
    b.copied = (b.copied - a.copied) / p->requests;
    return b;
}

static double crossings(struct compare_row r)
{
    return r.reads + r.writes;
}

static double bytes(struct compare_row r)
{
    return r.read_bytes + r.write_bytes;
}

/* What depends on time may be more in the short run: then the difference says nothing. */
static double judged(double v)
{
    return v < -1e-9 ? NAN : v;
}

static double exits(const struct compare_runs *p, const char *kind)
{
    return judged(grown(p, "exit", DEV_ANY, kind).writes);
}

/* The console is the report's, not the workload's: each of its crossings is one exit. */
static void traps_count(struct figures *f, const struct compare_runs *p)
{
    f->pio = judged(grown(p, "exit", DEV_ANY, "pio").writes -
                    crossings(grown(p, "pio", DEV_CONSOLE, NULL)));
    f->mmio = exits(p, "mmio");
    f->patch = exits(p, "patch");
    f->hcall = exits(p, "hcall");
    f->syscall = exits(p, "syscall") + exits(p, "int80") + exits(p, "sysenter");
    f->traps = f->pio + f->mmio + f->patch + f->hcall + f->syscall;
    f->eoi = judged(crossings(grown(p, "mmio", DEV_CHIPS, NULL)) +
                    crossings(grown(p, "pio", DEV_CHIPS, NULL)));
    f->halts = exits(p, "halt");
    f->stops = exits(p, "cage");
}

void compare_count(struct figures *f, const struct compare_runs *p)
{
    struct compare_row dma = grown(p, "dma", DEV_DISK, NULL);
    struct compare_row blk = grown(p, "blk", DEV_DISK, NULL);

    traps_count(f, p);
    f->bells = judged(grown(p, "bell", DEV_DISK, "notify").writes);
    f->irqs = grown(p, "msi", DEV_DISK, NULL).writes;
    if (p->line)
        f->irqs += grown(p, "irq", DEV_ANY, p->line).writes;
    f->irqs = judged(f->irqs);
    f->taken = judged(grown(p, "vec", DEV_ANY, NULL).writes);
    f->register_bytes =
        bytes(grown(p, "pio", DEV_DISK, NULL)) + bytes(grown(p, "mmio", DEV_DISK, NULL));
    f->crossings = f->traps + f->bells;
    f->bytes_per_trap = f->crossings == 0 ? 0 : p->size / f->crossings;
    f->copies = (dma.copied + blk.copied + f->register_bytes) / p->size;
    f->backend = crossings(blk);
    f->backend_bytes = bytes(blk);
    f->refused = sum(p->many, NULL, DEV_DISK, NULL).refused;
    f->flushes = sum(p->many, "blk", DEV_ANY, "flush").writes;
    f->requests = p->requests;
}
