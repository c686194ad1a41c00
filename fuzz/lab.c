/*
 * A lab's file: TOML that anybody may have written, and the plan that is made of it. What is read
 * is bounded; every process has a good name and a command that ends; what is refused is told with a
 * place in the file, and each word that a key made has one too.
 */
#include "cli/lab.h"
#include "core/error.h"
#include "input.h"
#include <ctype.h>

/* "/f.toml:LINE:COLUMN: …", unless there is nothing at all to point at. */
static void told(const char *text)
{
    const char *at = text + strlen("/f.toml:");

    PROMISE(!strncmp(text, "/f.toml:", 8));
    PROMISE(isdigit((unsigned char)*at) || *at == ' ');
    PROMISE(strstr(text, "found ") || strstr(text, "more than") || strstr(text, "can't be"));
    PROMISE(!strchr(text, '\n'));
}

static void unit_check(const struct lab_unit *u)
{
    PROMISE(lab_name_good(u->name) && u->kind < LAB_KINDS);
    PROMISE(u->argc >= 2 && u->argc <= LAB_ARGS && !u->argv[u->argc]);
    for (unsigned i = 0; i < u->argc; i++)
        PROMISE(u->argv[i]);
    for (unsigned i = 0; i < u->marks; i++) {
        const struct lab_mark *m = &u->mark[i];

        PROMISE(m->word < u->argc && m->line && m->column && strstr(u->argv[m->word], m->text));
        (void)lab_mark_meant(u, u->argv[m->word]);
    }
    for (char **s = u->socket; *s; s++)
        PROMISE(**s == '/' && strlen(*s) < 108);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct error err = {{0}};
    struct lab *l;
    int code = lab_read(&l, "/f.toml", (const char *)data, len, &err);

    PROMISE((code == 0) == (l != NULL));
    if (code)
        told(err.text);
    for (unsigned i = 0; l && i < l->units; i++) {
        unit_check(&l->unit[i]);
        for (unsigned k = 0; k < i; k++)
            PROMISE(strcmp(l->unit[i].name, l->unit[k].name));
    }
    lab_close(l);
    return 0;
}
