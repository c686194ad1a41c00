/*
 * The first lines of a recording: which machine, so that the replay can make the same devices. A
 * line is a word and its values; the order is free but for the first line and `begin`.
 */
#include "core/error.h"
#include "record/rec_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX  12
#define QUEUES_MAX 8u

/* ---- writing ---- */

static void virtio_write(struct rec_text *t, unsigned queues, bool packed)
{
    if (queues)
        rec_add(t, " queues=%u", queues);
    if (packed)
        rec_add(t, " packed");
}

static void disk_write(struct rec_text *t, const struct rec_disk *k)
{
    rec_add(t, "disk %s via=%x sectors=%llu%s%s%s%s", k->name, k->via,
            (unsigned long long)k->sectors, k->readonly ? " readonly" : "",
            k->discard ? " discard" : "", k->zeroes ? " zeroes" : "", k->cache ? " cache" : "");
    virtio_write(t, k->queues, k->packed);
    if (k->has_serial) {
        rec_add(t, " serial=");
        rec_add_data(t, k->serial, strlen(k->serial));
    }
    rec_add(t, "\n");
}

static void nic_write(struct rec_text *t, const struct rec_nic *n)
{
    rec_add(t, "net %s via=%x mac=", n->name, n->via);
    rec_add_data(t, n->mac, sizeof(n->mac));
    rec_add(t, " takes=%x%s", n->takes, n->up ? " up" : "");
    virtio_write(t, n->queues, n->packed);
    if (n->less)
        rec_add(t, " less=%x", n->less);
    rec_add(t, "\n");
}

void rec_head_write(struct rec *r)
{
    const struct rec_machine *m = &r->m;
    struct rec_text *t = &r->tmp;

    rec_add(t, "viaduct recording %d\nboard %s\nmemory %llu\nepoch %llu\nstart %llu\n", REC_VERSION,
            m->board, (unsigned long long)m->memory, (unsigned long long)m->epoch,
            (unsigned long long)m->start);
    if (m->debug_exit)
        rec_add(t, "debug-exit\n");
    if (m->split)
        rec_add(t, "split\n");
    for (unsigned i = 0; i < m->disks; i++)
        disk_write(t, &m->disk[i]);
    for (unsigned i = 0; i < m->nics; i++)
        nic_write(t, &m->nic[i]);
    rec_write(r, t);
}

/* ---- reading: -EINVAL without a message means "not a line that belongs here" ---- */

static bool number(const char *s, int base, uint64_t *v)
{
    return rec_number(&s, base, v) && !*s;
}

static bool name_ok(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n < REC_NAME && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

static bool queues_read(unsigned *queues, const char *word)
{
    uint64_t v;

    if (!number(word, 10, &v) || v > QUEUES_MAX)
        return false;
    *queues = (unsigned)v;
    return true;
}

static bool serial_read(struct rec_disk *k, const char *data)
{
    size_t len = rec_data_len(data);

    k->has_serial = true;
    return len <= 20 && rec_data(data, k->serial, len);
}

static bool disk_word(struct rec_disk *k, const char *w)
{
    static const struct {
        const char *name;
        size_t at;
    } flag[] = {{"readonly", offsetof(struct rec_disk, readonly)},
                {"discard", offsetof(struct rec_disk, discard)},
                {"zeroes", offsetof(struct rec_disk, zeroes)},
                {"cache", offsetof(struct rec_disk, cache)},
                {"packed", offsetof(struct rec_disk, packed)}};
    uint64_t v;

    for (size_t i = 0; i < ARRAY_LEN(flag); i++)
        if (!strcmp(w, flag[i].name))
            return *(bool *)((char *)k + flag[i].at) = true;
    if (!strncmp(w, "via=", 4) && number(w + 4, 16, &v) && v <= 0xff)
        return (k->via = (unsigned)v) != 0;
    if (!strncmp(w, "sectors=", 8) && number(w + 8, 10, &v) && v && v <= INT64_MAX / BLK_SECTOR)
        return (k->sectors = v) != 0;
    if (!strncmp(w, "queues=", 7))
        return queues_read(&k->queues, w + 7);
    return !strncmp(w, "serial=", 7) && serial_read(k, w + 7);
}

static bool disk_read(struct rec_machine *m, char **word, int words)
{
    struct rec_disk *k = &m->disk[m->disks];

    if (words < 4 || m->disks == REC_DISKS || !name_ok(word[1]))
        return false;
    m->disks++;
    snprintf(k->name, sizeof(k->name), "%s", word[1]);
    for (int i = 2; i < words; i++)
        if (!disk_word(k, word[i]))
            return false;
    return k->sectors && k->via;
}

static bool nic_word(struct rec_nic *n, const char *w)
{
    uint64_t v;

    if (!strcmp(w, "up"))
        return n->up = true;
    if (!strcmp(w, "packed"))
        return n->packed = true;
    if (!strncmp(w, "queues=", 7))
        return queues_read(&n->queues, w + 7);
    if (!strncmp(w, "less=", 5) && number(w + 5, 16, &v) && v <= 2)
        return (n->less = (unsigned)v) != 0;
    if (!strncmp(w, "mac=", 4))
        return rec_data(w + 4, n->mac, sizeof(n->mac));
    if (!strncmp(w, "via=", 4) && number(w + 4, 16, &v) && v <= 0xff)
        return (n->via = (unsigned)v) != 0;
    if (strncmp(w, "takes=", 6) || !number(w + 6, 16, &v) || v > 0xffff)
        return false;
    n->takes = (unsigned)v;
    return true;
}

static bool nic_read(struct rec_machine *m, char **word, int words)
{
    struct rec_nic *n = &m->nic[m->nics];

    if (words < 4 || m->nics == REC_NICS || !name_ok(word[1]))
        return false;
    m->nics++;
    snprintf(n->name, sizeof(n->name), "%.31s", word[1]);
    for (int i = 2; i < words; i++)
        if (!nic_word(n, word[i]))
            return false;
    return n->via;
}

static bool name_read(char *to, const char *word)
{
    snprintf(to, REC_NAME, "%s", word);
    return name_ok(word);
}

static bool line_read(struct rec_machine *m, char **word, int words)
{
    if (!strcmp(word[0], "disk"))
        return disk_read(m, word, words);
    if (!strcmp(word[0], "net"))
        return nic_read(m, word, words);
    if (!strcmp(word[0], "debug-exit"))
        return words == 1 && (m->debug_exit = true);
    if (!strcmp(word[0], "split"))
        return words == 1 && (m->split = true);
    if (words != 2)
        return false;
    if (!strcmp(word[0], "board"))
        return name_read(m->board, word[1]);
    if (!strcmp(word[0], "device"))
        return m->picks < REC_PICKS && name_read(m->pick[m->picks++], word[1]);
    if (!strcmp(word[0], "memory"))
        return number(word[1], 10, &m->memory);
    if (!strcmp(word[0], "epoch"))
        return number(word[1], 10, &m->epoch) && m->epoch < UINT32_MAX * 64ull;
    if (!strcmp(word[0], "start"))
        return number(word[1], 10, &m->start) && m->start < INT64_MAX;
    return false;
}

static int words_of(char *line, char **word)
{
    char *save = NULL;
    int n = 0;

    for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (n == WORDS_MAX)
            return 0;
        word[n++] = w;
    }
    return n;
}

static int complete(const struct rec *r, struct error *err)
{
    const char *lacks = !r->m.board[0] ? "board" : !r->m.memory ? "memory" : NULL;

    if (!lacks && !r->m.picks)
        lacks = "device";
    return lacks ? error_set(err, -EINVAL, "%s:%u: no line \"%s …\" before \"begin\"", r->in.name,
                             r->in.line, lacks)
                 : 0;
}

int rec_head_read(struct rec *r, struct error *err)
{
    char *word[WORDS_MAX], *line = rec_in_line(&r->in);
    unsigned long long version;
    int end = 0;

    if (!line || sscanf(line, "viaduct recording %llu%n", &version, &end) != 1 || line[end])
        return error_set(err, -EINVAL, "%s: not a recording of viaduct run --record", r->in.name);
    if (version != REC_VERSION)
        return error_set(err, -EINVAL, "%s: version %llu; this viaduct plays version %d",
                         r->in.name, version, REC_VERSION);
    while ((line = rec_in_line(&r->in)) && strcmp(line, "begin")) {
        int words = words_of(line, word);

        if (!words || !line_read(&r->m, word, words))
            return error_set(err, -EINVAL, "%s:%u: not a line of a recording's head", r->in.name,
                             r->in.line);
    }
    return line ? complete(r, err) : error_set(err, -EINVAL, "%s: no line \"begin\"", r->in.name);
}
