/*
 * Playing a recording: each event is done to the device as the machine did it, at the time written
 * beside it; what the device does is compared by the wires (rec.c). The file is hostile: a line
 * that is no event, time that goes back, a name nobody has end the replay with its line number.
 * What it makes the device see is no more than a guest and a backend could make it see.
 */
#include "bus/bus.h"
#include "bus/pci.h"
#include "core/error.h"
#include "record/rec_impl.h"
#include <errno.h>
#include <string.h>

#define LABEL_MAX (REC_NAME + 8)

struct access { /* the words of r, w, cr, cw */
    char label[LABEL_MAX];
    uint64_t off, size, val;
};

static bool access_words(const char *s, bool cfg, struct access *a)
{
    const char *plus = cfg ? s : strchr(s, '+');
    size_t n;

    if (!plus || (n = (size_t)(plus - s)) >= sizeof(a->label))
        return false;
    memcpy(a->label, s, n);
    a->label[n] = 0;
    s = cfg ? s : plus + 1;
    return rec_number(&s, 16, &a->off) && rec_number(&s, 10, &a->size) &&
           rec_number(&s, 16, &a->val) && !*s && a->size >= 1 && a->size <= 8;
}

static void malformed(struct rec *r)
{
    rec_differ(r, "not a line that this version knows: %.60s", r->event);
}

/* ---- events ---- */

static void play_register(struct rec_dev *d, bool write, const char *rest)
{
    struct rec *r = d->rec;
    struct rec_region *m;
    const struct io_region *at;
    struct access a;

    if (!access_words(rest, false, &a)) {
        malformed(r);
        return;
    }
    m = rec_region_find(d, a.label);
    at = m ? m->region : NULL;
    if (!at || !at->mapped || !range_in(a.off, a.size, 0, at->len))
        rec_differ(r, "%s %s: expected registers to be there, got %s", d->name, rest,
                   at && at->mapped ? "fewer of them" : "none");
    else if (write)
        bus_write(r->player.bus, at->space, at->base + a.off, (unsigned)a.size, a.val);
    else
        bus_read(r->player.bus, at->space, at->base + a.off, (unsigned)a.size);
}

static void play_config(struct rec_dev *d, bool write, const char *rest)
{
    struct access a;

    if (!access_words(rest, true, &a) || a.off >= PCI_CFG_SIZE || a.size > 4)
        malformed(d->rec);
    else if (!d->func)
        rec_differ(d->rec, "%s: expected a PCI function, got none", d->name);
    else if (write)
        pci_cfg_write(d->func->env.pci, d->func->env.devfn, (unsigned)a.off, (unsigned)a.size,
                      (uint32_t)a.val);
    else
        pci_cfg_read(d->func->env.pci, d->func->env.devfn, (unsigned)a.off, (unsigned)a.size);
}

static void play_r(struct rec_dev *d, const char *rest)
{
    play_register(d, false, rest);
}

static void play_w(struct rec_dev *d, const char *rest)
{
    play_register(d, true, rest);
}

static void play_cr(struct rec_dev *d, const char *rest)
{
    play_config(d, false, rest);
}

static void play_cw(struct rec_dev *d, const char *rest)
{
    play_config(d, true, rest);
}

static void play_timer(struct rec_dev *d, const char *rest)
{
    rec_time_play(d, true, rest);
}

static void play_work(struct rec_dev *d, const char *rest)
{
    rec_time_play(d, false, rest);
}

static void play_reset(struct rec_dev *d, const char *rest)
{
    struct rec *r = d->rec;

    if (*rest)
        malformed(r);
    else if (!r->player.reset || r->player.reset(r->player.ctx, d->name))
        rec_differ(r, "%s: there is nothing to reset", d->name);
}

/* WHAT and three numbers */
static void play_input(struct rec_dev *d, const char *rest)
{
    struct rec *r = d->rec;
    char what[16];
    int v[3], end = -1;

    if (sscanf(rest, "%15[a-z] %d %d %d%n", what, &v[0], &v[1], &v[2], &end) != 4 || end < 0 ||
        rest[end])
        malformed(r);
    else if (!r->player.input || r->player.input(r->player.ctx, d->name, what, v))
        rec_differ(r, "%s: has no input %s", d->name, what);
}

static void play_stray(struct rec_dev *d, const char *rest)
{
    rec_differ(d->rec, "something that is not recorded made %s do \"%.100s\"", d->name, rest);
}

static const struct {
    const char *verb;
    void (*play)(struct rec_dev *d, const char *rest);
} verbs[] = {
    {"r ", play_r},         {"w ", play_w},
    {"cr ", play_cr},       {"cw ", play_cw},
    {"timer ", play_timer}, {"work ", play_work},
    {"blk ", rec_blk_play}, {"chr recv ", rec_chr_play},
    {"net ", rec_net_play}, {"reset", play_reset},
    {"input ", play_input}, {"irq look ", rec_irq_play},
    {"? ", play_stray},
};

static void verb_play(struct rec_dev *d, const char *event)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        size_t n = strlen(verbs[i].verb);

        if (!strncmp(event, verbs[i].verb, n)) {
            verbs[i].play(d, event + n);
            return;
        }
    }
    malformed(d->rec);
}

static struct rec_dev *dev_at(struct rec *r, const char **s)
{
    size_t n = strcspn(*s, " ");

    for (unsigned i = 0; i < r->devs && (*s)[n]; i++)
        if (strlen(r->dev[i]->name) == n && !strncmp(r->dev[i]->name, *s, n)) {
            *s += n + 1;
            return r->dev[i];
        }
    return NULL;
}

static void event_play(struct rec *r, const char *line)
{
    uint64_t now, before = r->events;
    struct rec_dev *d;

    r->event = line;
    r->event_line = r->in.line;
    if (!rec_number(&line, 10, &now) || now < r->now || now > INT64_MAX) {
        rec_differ(r, "expected a time not before %llu: %.60s", (unsigned long long)r->now,
                   r->event);
        return;
    }
    r->event = line;
    d = dev_at(r, &line);
    if (!d) {
        rec_differ(r, "not a device of this recording: %.60s", r->event);
        return;
    }
    r->now = now;
    r->event = line;
    verb_play(d, line);
    if (!r->differs && r->events == before) /* the access reached nobody, or somebody else */
        rec_differ(r, "%s: expected \"%.60s\" to reach the device, got nothing", d->name, line);
}

/* ---- the whole ---- */

void rec_player(struct rec *r, const struct rec_player *p)
{
    r->player = *p;
    r->ledger = p->ledger;
}

int rec_play(struct rec *r, struct error *err)
{
    char *line;

    while (!r->differs && (line = rec_in_line(&r->in))) {
        if (!strncmp(line, "ledger ", 7))
            rec_sum_check(r, line + 7);
        else
            event_play(r, line);
    }
    r->event = NULL;
    r->closed = true;
    if (r->differs)
        *err = r->why;
    return r->differs ? -EPROTO : 0;
}
