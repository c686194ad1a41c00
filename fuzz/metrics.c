/*
 * A scraper's request, and names in the ledger that anybody may have chosen. Every answer is HTTP
 * with the length it says; every line of metrics is a comment or a sample with balanced quotes.
 */
#include "api/metrics.h"
#include "api/metrics_door.h"
#include "back/blk.h"
#include "core/ledger.h"
#include "input.h"
#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>

/* name{labels} value: quotes are closed, and nothing but the value follows. */
static void sample_check(const char *line, size_t n)
{
    bool quoted = false;
    size_t at = 0;

    PROMISE(n > 8 && !memcmp(line, "viaduct_", 8));
    for (; at < n && (quoted || line[at] != '}'); at++) {
        if (line[at] == '\\')
            at++;
        else if (line[at] == '"')
            quoted = !quoted;
    }
    PROMISE(at + 2 < n && line[at] == '}' && line[at + 1] == ' ' && !quoted);
    PROMISE(!memchr(line + at + 2, ' ', n - at - 2));
}

static void text_check(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        PROMISE(text[n] == '\n');
        if (*text != '#')
            sample_check(text, n);
        text += n + 1;
    }
}

static void answer_check(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");

    PROMISE(!strncmp(answer, "HTTP/1.1 ", 9) && body && length && length < body);
    PROMISE(strtoul(length + 16, NULL, 10) == strlen(body + 4));
    if (!strncmp(answer + 9, "200", 3))
        text_check(body + 4);
}

static void name_take(struct input *in, char *name, size_t room)
{
    size_t n = take_u8(in) % room;

    memset(name, 0, room);
    take(in, name, n);
}

static void rows_make(struct ledger *l, struct input *in)
{
    for (unsigned i = take_u8(in) % 8; i; i--) {
        char dev[24], name[24];
        struct ledger_row *r;

        name_take(in, dev, sizeof(dev));
        name_take(in, name, sizeof(name));
        r = ledger_row(l, (enum ledger_kind)(take_u8(in) % LEDGER_KINDS), dev, name);
        PROMISE(r);
        ledger_add(r, take_u8(in) & 1, take_u16(in));
    }
}

static void more(const void *ctx, struct metrics_out *out)
{
    metrics_family(out, "fuzz_total", "counter", "Anything.");
    metrics_sample(out, "fuzz_total",
                   (struct metrics_label[]){{"a", ctx}, {"b", (const char *)ctx + 1}}, 2, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct metrics_source s = {.ledger = ledger_open(), .vcpus = 1, .disks = 1};
    struct input in = {data, len};
    struct blk disk = {0};
    char ask[METRICS_ASK] = "", *answer, *text;
    cJSON *json;

    PROMISE(s.ledger);
    rows_make((struct ledger *)(uintptr_t)s.ledger, &in);
    name_take(&in, disk.name, sizeof(disk.name));
    for (unsigned i = take_u8(&in) % 8; i; i--)
        times_add(&disk.times[take_u8(&in) % BLK_OPS], take_int(&in, 6));
    s.disk[0] = &disk;
    take(&in, ask, sizeof(ask) - 1);
    s.more = more;
    s.ctx = disk.name[0] ? disk.name : "\0";
    answer = metrics_http_answer(ask, &s, "lab/vm");
    PROMISE(answer);
    answer_check(answer);
    text = metrics_text(&s, NULL);
    PROMISE(text);
    text_check(text);
    json = metrics_json(&s);
    PROMISE(json);
    cJSON_Delete(json);
    free(text);
    free(answer);
    ledger_close((struct ledger *)(uintptr_t)s.ledger);
    return 0;
}
