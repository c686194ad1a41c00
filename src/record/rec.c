/*
 * A recording as a list of events. An event is one thing that came to a device from outside (an
 * access, a timer, a completion), and what the device did before it returned: one line, and under
 * it a line for each thing done, set off by a blank.
 *
 * Making and playing go the same way: the wires (rec_dev.c, rec_time.c, rec_blk.c …) say what
 * crosses as a line of text. Making, the line is kept until the event ends, then written. Playing,
 * it is compared with the one that stands in the file. Everything here runs under the VM lock,
 * which gives the events one order.
 */
#include "core/ledger.h"
#include "record/rec_impl.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void empty(struct rec_text *t)
{
    t->len = 0;
    if (t->s)
        t->s[0] = 0;
}

static const char *text_of(const struct rec_text *t)
{
    return t->s ? t->s : "";
}

struct rec_text *rec_new(struct rec_dev *d)
{
    empty(&d->rec->tmp);
    return &d->rec->tmp;
}

/* ---- differences ---- */

void rec_differ(struct rec *r, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    if (r->differs || r->closed)
        return;
    r->differs = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    error_set(&r->why, -EPROTO, "%.100s:%u: %s", r->in.name, r->in.line, text);
}

/* Where two lines with the same beginning part: the first word that differs. */
static size_t same_words(const char *a, const char *b)
{
    size_t i, word = 0;

    for (i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == ' ')
            word = i + 1;
    return word;
}

/* The line numbered in.line should have been `want`, the device said `got`. */
static void lines_differ(struct rec *r, const char *want, const char *got)
{
    const char *dev = r->cur ? r->cur->name : "?";
    size_t n = same_words(want, got);

    if (n)
        rec_differ(r, "%s %.*s: expected %.100s, got %.100s", dev, (int)(n > 100 ? 100 : n - 1),
                   want, want + n, got + n);
    else
        rec_differ(r, "%s: expected \"%.100s\", got \"%.100s\"", dev, want, got);
}

/* ---- playing: the file's side ---- */

static const char *nested_next(const struct rec *r)
{
    const char *s = r->in.next;

    return s && s[0] == ' ' ? s + 1 : NULL;
}

const char *rec_peek(const struct rec *r, const char *begin)
{
    const char *s = nested_next(r);

    return s && !r->differs && !strncmp(s, begin, strlen(begin)) ? s : NULL;
}

void rec_skip(struct rec *r)
{
    rec_in_line(&r->in);
}

/* The device did what no line of the event tells. */
static void unexpected(struct rec *r, const char *got)
{
    r->in.line++; /* the line that should have been there */
    rec_differ(r, "%s: expected nothing more of the event at line %u (%.60s), got \"%.100s\"",
               r->cur->name, r->event_line, r->event, got);
}

static void compare(struct rec *r, const char *got)
{
    const char *want = nested_next(r);

    if (r->differs)
        return;
    if (!want) {
        unexpected(r, got);
        return;
    }
    rec_skip(r);
    if (strcmp(want, got))
        lines_differ(r, want, got);
}

const char *rec_take(struct rec_dev *d)
{
    struct rec *r = d->rec;
    const char *want = nested_next(r), *got = text_of(&r->tmp);
    size_t n = strlen(got);

    if (r->differs || r->closed || (r->building && !r->depth))
        return NULL;
    if (!want) {
        unexpected(r, got);
        return NULL;
    }
    rec_skip(r);
    if (!strncmp(want, got, n) && want[n] == ' ')
        return want + n + 1;
    lines_differ(r, want, got);
    return NULL;
}

static void event_done(struct rec *r)
{
    const char *left = nested_next(r);

    r->events++;
    if (!left || r->differs)
        return;
    rec_skip(r);
    rec_differ(r, "%s: expected \"%.100s\" in the event at line %u (%.60s), got nothing more",
               r->cur->name, left, r->event_line, r->event);
}

/* ---- making: the file's side ---- */

void rec_write(struct rec *r, const struct rec_text *t)
{
    if (t->lost)
        r->short_of = true;
    rec_out_text(&r->out, text_of(t), t->len);
}

static void event_write(struct rec *r)
{
    struct rec_text *t = &r->tmp;

    if (r->closed)
        return;
    empty(t);
    if (!r->begun)
        rec_add(t, "begin\n");
    r->begun = true;
    rec_add(t, "%llu %s %s\n", (unsigned long long)r->now, r->cur->name, text_of(&r->head));
    rec_write(r, t);
    rec_write(r, &r->nested);
    r->events++;
    if (r->out.bytes >= r->limit)
        rec_finish(r, NULL);
}

/* ---- events ---- */

void rec_begin(struct rec_dev *d)
{
    struct rec *r = d->rec;

    if (r->depth++)
        return;
    r->cur = d;
    empty(&r->head);
    empty(&r->nested);
    if (!r->play) /* also when the recording has ended: the device goes on */
        r->now = loop_now(r->loop);
}

void rec_head(struct rec_dev *d)
{
    struct rec *r = d->rec;

    if (r->depth > 1)
        rec_put(d);
    else if (!r->play)
        rec_add(&r->head, "%s", text_of(&r->tmp));
    else if (r->event && !r->differs && strcmp(r->event, text_of(&r->tmp))) {
        r->in.line = r->event_line;
        lines_differ(r, r->event, text_of(&r->tmp));
    }
}

void rec_end(struct rec_dev *d)
{
    struct rec *r = d->rec;

    if (r->depth > 1) {
        r->depth--;
        return;
    }
    if (!r->play)
        event_write(r);
    else if (r->event && !r->closed)
        event_done(r);
    r->depth = 0;
    r->cur = NULL;
}

void rec_end_quiet(struct rec_dev *d)
{
    struct rec *r = d->rec;

    if (r->depth == 1 && !r->play && !r->nested.len) {
        r->depth = 0;
        r->cur = NULL;
    } else {
        rec_end(d);
    }
}

/* Something that no event led to: nobody tapped what did. The replay can't do it. */
static void stray(struct rec_dev *d)
{
    struct rec *r = d->rec;

    rec_begin(d);
    rec_add(&r->head, "? %s", text_of(&r->tmp));
    rec_end(d);
}

void rec_put(struct rec_dev *d)
{
    struct rec *r = d->rec;

    if (r->closed || (r->building && !r->depth))
        return;
    if (r->play && r->depth)
        compare(r, text_of(&r->tmp));
    else if (r->play)
        rec_differ(r, "%s did \"%.100s\" outside any event", d->name, text_of(&r->tmp));
    else if (!r->depth)
        stray(d);
    else if (d == r->cur)
        rec_add(&r->nested, " %s\n", text_of(&r->tmp));
    else
        rec_add(&r->nested, " %s: %s\n", d->name, text_of(&r->tmp));
}

/* ---- life ---- */

static struct rec *rec_new_struct(void)
{
    struct rec *r = calloc(1, sizeof(*r));

    if (r)
        r->building = true;
    return r;
}

int rec_create(struct rec **out, const struct rec_opts *o, const struct rec_machine *m,
               struct loop *loop, struct ledger *ledger, struct error *err)
{
    struct rec *r = rec_new_struct();
    int e;

    if (!r)
        return error_set(err, -ENOMEM, "--record: out of memory");
    e = rec_out_open(&r->out, o->path, err);
    if (e) {
        free(r);
        return e;
    }
    r->m = *m;
    r->loop = loop;
    r->ledger = ledger;
    r->limit = o->limit ? o->limit : REC_LIMIT;
    r->now = r->m.start = loop_now(loop);
    r->m.epoch = loop_wall(loop) - r->now / 1000000000u;
    rec_head_write(r);
    *out = r;
    return 0;
}

int rec_finish(struct rec *r, struct error *err)
{
    int e;

    if (!r->closed) {
        if (!r->begun)
            rec_out_text(&r->out, "begin\n", 6);
        rec_sum_write(r);
        r->closed = true;
        e = rec_out_end(&r->out);
    }
    e = r->out.err;
    if (!e && r->short_of)
        e = -ENOMEM;
    return e && err ? error_set(err, e, "--record: the recording is not complete: %s", strerror(-e))
                    : e;
}

static int opened(struct rec **out, struct rec *r, int e, bool edited, struct error *err)
{
    if (!e)
        e = rec_in_check(&r->in, edited, err);
    if (!e)
        e = rec_head_read(r, err);
    if (e) {
        rec_close(r);
        return e;
    }
    r->play = true;
    r->now = r->m.start;
    *out = r;
    return 0;
}

int rec_open(struct rec **out, const char *path, bool edited, struct error *err)
{
    struct rec *r = rec_new_struct();

    if (!r)
        return error_set(err, -ENOMEM, "%s: out of memory", path);
    return opened(out, r, rec_in_open(&r->in, path, err), edited, err);
}

int rec_open_text(struct rec **out, const char *name, const char *text, size_t len, bool edited,
                  struct error *err)
{
    struct rec *r = rec_new_struct();

    if (!r)
        return error_set(err, -ENOMEM, "%s: out of memory", name);
    return opened(out, r, rec_in_text(&r->in, name, text, len, err), edited, err);
}

const struct rec_machine *rec_machine(const struct rec *r)
{
    return &r->m;
}

uint64_t rec_events(const struct rec *r)
{
    return r->events;
}

bool rec_playing(const struct rec *r)
{
    return r && r->play;
}

static void dev_free(struct rec_dev *d)
{
    rec_time_close(d);
    for (unsigned i = 0; i < d->lines; i++)
        free(d->line[i]);
    for (unsigned i = 0; i < d->blks; i++)
        rec_blk_close(d->blk[i]);
    if (d->chr)
        rec_chr_close(d->chr);
    if (d->net)
        rec_net_close(d->net);
    free(d);
}

void rec_close(struct rec *r)
{
    if (!r)
        return;
    r->closed = true;
    for (unsigned i = 0; i < r->devs; i++)
        dev_free(r->dev[i]);
    for (unsigned i = 0; i < REC_DISKS; i++)
        blk_close(r->disk[i]);
    rec_out_drop(&r->out, r->building); /* the machine could not be made */
    rec_in_close(&r->in);
    free(r->head.s);
    free(r->nested.s);
    free(r->tmp.s);
    free(r);
}
