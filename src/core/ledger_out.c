/* The ledger for people (a table) and for programs (JSON). */
#include "core/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct sum {
    uint64_t reads, writes, read_bytes, write_bytes, refused;
};

static void sum_add(struct sum *s, const struct ledger_row *row)
{
    s->reads += row->reads;
    s->writes += row->writes;
    s->read_bytes += row->read_bytes;
    s->write_bytes += row->write_bytes;
    s->refused += row->refused;
}

static bool row_used(const struct ledger_row *row)
{
    return row->reads || row->writes || row->refused;
}

static void print_row(const struct ledger_row *row, FILE *out)
{
    fprintf(out,
            "%-5s %-14s %-14s %11" PRIu64 " %11" PRIu64 " %13" PRIu64 " %13" PRIu64 " %8" PRIu64,
            ledger_kind_name(row->kind), row->dev, row->name, row->reads, row->writes,
            row->read_bytes, row->write_bytes, row->refused);
    if (row->samples)
        fprintf(out, " %9" PRIu64, row->ns / row->samples);
    fputc('\n', out);
}

static void print_kind(const struct ledger *l, enum ledger_kind kind, FILE *out)
{
    const struct ledger_row *row;
    struct sum sum = {0};
    unsigned rows = 0;

    for (row = ledger_first(l); row; row = row->next) {
        if (row->kind != kind || !row_used(row))
            continue;
        print_row(row, out);
        sum_add(&sum, row);
        rows++;
    }
    if (rows > 1)
        fprintf(out,
                "%-5s %-14s %-14s %11" PRIu64 " %11" PRIu64 " %13" PRIu64 " %13" PRIu64 " %8" PRIu64
                "\n",
                ledger_kind_name(kind), "=", "all", sum.reads, sum.writes, sum.read_bytes,
                sum.write_bytes, sum.refused);
}

void ledger_print(const struct ledger *l, FILE *out)
{
    unsigned kind;

    fprintf(out, "%-5s %-14s %-14s %11s %11s %13s %13s %8s %9s\n", "kind", "device", "where",
            "reads", "writes", "bytes read", "bytes written", "refused", "ns each");
    for (kind = 0; kind < LEDGER_KINDS; kind++)
        print_kind(l, kind, out);
}

/* A JSON string (RFC 8259 section 7); names may come from the user's command line. */
static void json_string(const char *s, FILE *out)
{
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", (unsigned char)*s);
        else
            fputc(*s, out);
    }
    fputc('"', out);
}

static void json_row(const struct ledger_row *row, FILE *out)
{
    fprintf(out, "    {\"kind\": \"%s\", \"dev\": ", ledger_kind_name(row->kind));
    json_string(row->dev, out);
    fputs(", \"name\": ", out);
    json_string(row->name, out);
    fprintf(out,
            ", \"reads\": %" PRIu64 ", \"writes\": %" PRIu64 ", \"read_bytes\": %" PRIu64
            ", \"write_bytes\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"copied\": %" PRIu64
            ", \"ns\": %" PRIu64 ", \"samples\": %" PRIu64 "}",
            row->reads, row->writes, row->read_bytes, row->write_bytes, row->refused, row->copied,
            row->ns, row->samples);
}

static void json_sum(const struct ledger *l, enum ledger_kind kind, FILE *out)
{
    const struct ledger_row *row;
    struct sum sum = {0};

    for (row = ledger_first(l); row; row = row->next)
        if (row->kind == kind)
            sum_add(&sum, row);
    fprintf(out,
            "    \"%s\": {\"reads\": %" PRIu64 ", \"writes\": %" PRIu64 ", \"read_bytes\": %" PRIu64
            ", \"write_bytes\": %" PRIu64 ", \"refused\": %" PRIu64 "}",
            ledger_kind_name(kind), sum.reads, sum.writes, sum.read_bytes, sum.write_bytes,
            sum.refused);
}

int ledger_json(const struct ledger *l, FILE *out)
{
    const struct ledger_row *row;
    const char *sep = "\n";
    unsigned kind;

    errno = 0; /* then it is that of the last write that failed */
    fputs("{\n  \"version\": 1,\n  \"rows\": [", out);
    for (row = ledger_first(l); row; row = row->next) {
        fputs(sep, out);
        json_row(row, out);
        sep = ",\n";
    }
    fputs("\n  ],\n  \"sums\": {", out);
    sep = "\n";
    for (kind = 0; kind < LEDGER_KINDS; kind++) {
        fputs(sep, out);
        json_sum(l, kind, out);
        sep = ",\n";
    }
    fputs("\n  }\n}\n", out);
    return ferror(out) ? -(errno ? errno : EIO) : 0;
}

FILE *ledger_place(const char *path)
{
    bool is_stdout = !strcmp(path, "-");
    int fd = is_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                       : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd >= 0 && !out)
        close(fd);
    /* The buffer is taken now: at a first write stdio asks whether it writes to a terminal, an
     * ioctl that is in no list of the jails. */
    if (out && setvbuf(out, NULL, _IOFBF, BUFSIZ)) {
        fclose(out);
        errno = ENOMEM;
        return NULL;
    }
    return out;
}

int ledger_put(const struct ledger *l, FILE *out)
{
    int err = ledger_json(l, out);

    return fclose(out) && !err ? -errno : err;
}

int ledger_save(const struct ledger *l, const char *path)
{
    FILE *out = ledger_place(path);

    return out ? ledger_put(l, out) : -errno;
}
