/*
 * Tables of other benchmarks (bench/): text with a line "## title", tables of rows "| a | b |"
 * whose second one is dashes, and other lines, which are notes. All of it is read and judged before
 * anything is measured.
 */
#include "cli/compare_with.h"
#include "api/utf8.h"
#include "cli/compare_html.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (1u << 20)
#define LINE_MAX  2048

struct walk {
    const struct with_sink *sink;
    void *ctx;
    unsigned columns; /* of the table we are in; 0: in none */
    unsigned tables;
};

static void table_end(struct walk *w)
{
    if (w->columns && w->sink->end)
        w->sink->end(w->ctx);
    w->columns = 0;
}

static char *trim(char *s)
{
    char *end;

    s += strspn(s, " \t");
    end = s + strlen(s);
    while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    return s;
}

/* "| --- | ---: |", which stands between head and rows. */
static bool is_rule(char **cell, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!*cell[i] || cell[i][strspn(cell[i], "-:")])
            return false;
    return true;
}

static int row(struct walk *w, char *line, struct error *err)
{
    char *cell[WITH_COLUMNS_MAX], *at = line + 1, *bar;
    unsigned n = 0;

    for (; (bar = strchr(at, '|')); at = bar + 1) {
        if (n == WITH_COLUMNS_MAX)
            return error_set(err, -EINVAL, "a table with more than %d columns", WITH_COLUMNS_MAX);
        *bar = 0;
        cell[n++] = trim(at);
    }
    if (!n || *trim(at) || (w->columns && n != w->columns))
        return error_set(err, -EINVAL, "a row that doesn't fit its table");
    if (w->columns && is_rule(cell, n))
        return 0;
    w->tables += !w->columns;
    if (w->sink->row)
        w->sink->row(w->ctx, cell, n, !w->columns);
    w->columns = n;
    return 0;
}

static int line_take(struct walk *w, char *line, struct error *err)
{
    if (*line == '|')
        return row(w, line, err);
    table_end(w);
    if (*line == '#') {
        if (w->sink->title)
            w->sink->title(w->ctx, trim(line + strspn(line, "#")));
    } else if (*trim(line) && w->sink->note) {
        w->sink->note(w->ctx, trim(line));
    }
    return 0;
}

int compare_with_walk(const char *text, const struct with_sink *sink, void *ctx, struct error *err)
{
    struct walk w = {.sink = sink, .ctx = ctx};
    char line[LINE_MAX];
    int code = 0;

    while (*text && !code) {
        size_t len = strcspn(text, "\n");

        if (len >= sizeof(line))
            return error_set(err, -EINVAL, "a line of more than %d bytes", LINE_MAX - 1);
        memcpy(line, text, len);
        line[len] = 0;
        code = line_take(&w, line, err);
        text += len + (text[len] != 0);
    }
    table_end(&w);
    if (!code && !w.tables)
        code = error_set(err, -EINVAL, "there is no table in it");
    return code;
}

static int read_all(const char *path, char **text, struct error *err)
{
    FILE *f = fopen(path, "re");
    size_t len = 0;

    *text = f ? malloc(BYTES_MAX + 1) : NULL;
    if (*text)
        len = fread(*text, 1, BYTES_MAX + 1, f);
    if (f)
        fclose(f);
    if (!*text)
        return error_set(err, -EINVAL, "%s", strerror(f ? ENOMEM : errno));
    if (len > BYTES_MAX)
        return error_set(err, -EINVAL, "larger than 1 MiB");
    (*text)[len] = 0;
    if (strlen(*text) != len)
        return error_set(err, -EINVAL, "not text");
    utf8_mend(*text);
    return 0;
}

int compare_with_take(struct compare *c, const char *path, struct error *err)
{
    const struct with_sink nobody = {0};
    struct error why = {0};
    int code;

    if (c->withs == COMPARE_WITH_MAX)
        return error_set(err, -EINVAL, "--with: at most %d", COMPARE_WITH_MAX);
    code = read_all(path, &c->with[c->withs], &why);
    if (!code)
        code = compare_with_walk(c->with[c->withs], &nobody, NULL, &why);
    c->withs++;
    return code ? error_set(err, code, "--with %s: %.400s; name what a benchmark printed", path,
                            why.text)
                : 0;
}

/* ---- in the report ---- */

static void html_title(void *ctx, const char *text)
{
    fprintf(ctx, "<h2>");
    html_text(ctx, text);
    fprintf(ctx, "</h2>\n");
}

static void html_note(void *ctx, const char *text)
{
    fprintf(ctx, "<p>");
    html_text(ctx, text);
    fprintf(ctx, "</p>\n");
}

static void html_row(void *ctx, char **cell, unsigned n, bool head)
{
    if (head)
        fprintf(ctx, "<div class=\"wide\"><table class=\"words\">\n");
    fprintf(ctx, "<tr>");
    for (unsigned i = 0; i < n; i++) {
        fprintf(ctx, head ? "<th scope=\"col\">" : i ? "<td>" : "<th scope=\"row\">");
        html_text(ctx, cell[i]);
        fprintf(ctx, head || !i ? "</th>" : "</td>");
    }
    fprintf(ctx, "</tr>\n");
}

static void html_end(void *ctx)
{
    fprintf(ctx, "</table></div>\n");
}

void compare_with_html(FILE *out, const char *text)
{
    static const struct with_sink sink = {html_title, html_note, html_row, html_end};

    fprintf(out, "<section>\n");
    compare_with_walk(text, &sink, out, NULL); /* it was judged when it was read */
    fprintf(out, "</section>\n");
}

/* ---- in the JSON ---- */

struct json {
    cJSON *list, *table; /* table: the one that rows go to; NULL: none was begun */
    cJSON *title, *notes;
};

static void json_title(void *ctx, const char *text)
{
    struct json *j = ctx;

    cJSON_Delete(j->title);
    j->title = cJSON_CreateString(text);
}

static void json_note(void *ctx, const char *text)
{
    cJSON_AddItemToArray(((struct json *)ctx)->notes, cJSON_CreateString(text));
}

static cJSON *strings(char **cell, unsigned n)
{
    cJSON *list = cJSON_CreateArray();

    for (unsigned i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(cell[i]));
    return list;
}

static void json_row(void *ctx, char **cell, unsigned n, bool head)
{
    struct json *j = ctx;

    if (!head) {
        cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(j->table, "rows"), strings(cell, n));
        return;
    }
    j->table = cJSON_CreateObject();
    cJSON_AddItemToObject(j->table, "title", cJSON_Duplicate(j->title, true));
    cJSON_AddItemToObject(j->table, "columns", strings(cell, n));
    cJSON_AddItemToObject(j->table, "rows", cJSON_CreateArray());
    cJSON_AddItemToArray(j->list, j->table);
}

struct cJSON *compare_with_json(const char *text)
{
    static const struct with_sink sink = {json_title, json_note, json_row, NULL};
    struct json j = {.list = cJSON_CreateArray(), .notes = cJSON_CreateArray()};
    cJSON *o = cJSON_CreateObject();

    j.title = cJSON_CreateString("");
    compare_with_walk(text, &sink, &j, NULL);
    cJSON_Delete(j.title);
    cJSON_AddItemToObject(o, "tables", j.list);
    cJSON_AddItemToObject(o, "notes", j.notes);
    return o;
}
