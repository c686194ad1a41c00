/* The command line of a child: viaduct run with the guest, or viaduct exec with the program. */
#include "cli/compare_child.h"
#include <string.h>

#define WORDS_MAX 12

static void arg(struct child_command *m, const char *s)
{
    if (m->args < CHILD_ARGS_MAX - 1)
        m->argv[m->args++] = (char *)(uintptr_t)s;
}

/* What the workload is told; the same words for guests and programs. */
static void words_make(struct child_command *m, const struct compare *c, const struct child *k)
{
    const struct compare_way *w = k->cell->way;

    snprintf(m->words, sizeof(m->words),
             "way=%s size=%u read=%u depth=%u n=%u rounds=%u flushes=%u blocks=%u%s", w->guest,
             c->o.size, c->o.read, k->cell->depth, k->per_round, k->rounds, COMPARE_FLUSHES,
             c->blocks, w->polled || c->o.poll ? " poll" : "");
}

static void run_make(struct child_command *m, const struct cell *cell)
{
    static const char *const options[] = {"--memory", "32M", "--debug-exit", "--timeout",
                                          CHILD_GUEST_SECONDS};

    arg(m, "--irqchip");
    arg(m, cell->engine->irqchip);
    for (unsigned i = 0; i < ARRAY_LEN(options); i++)
        arg(m, options[i]);
    arg(m, "--kernel");
    arg(m, m->file);
    arg(m, "--append");
    arg(m, m->words);
}

/* A program has its words one by one. */
static void exec_make(struct child_command *m)
{
    char *save = NULL;
    unsigned n = 0;

    arg(m, "--memory");
    arg(m, "64M");
    arg(m, m->file);
    for (char *w = strtok_r(m->words, " ", &save); w && n < WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        arg(m, w);
}

void child_command(struct child_command *m, const struct compare *c, const struct child *k)
{
    const struct cell *cell = k->cell;

    *m = (struct child_command){.args = 0};
    words_make(m, c, k);
    snprintf(m->disk, sizeof(m->disk), "/proc/self/fd/%d%s", FD_IMAGE, cell->way->disk);
    snprintf(m->file, sizeof(m->file), "/proc/self/fd/%d", FD_FILE);
    snprintf(m->ledger, sizeof(m->ledger), "/proc/self/fd/%d", FD_LEDGER);
    arg(m, "viaduct");
    arg(m, cell->way->program ? "exec" : "run");
    arg(m, "--engine");
    arg(m, cell->engine->engine);
    arg(m, "--disk");
    arg(m, m->disk);
    arg(m, "--ledger");
    arg(m, m->ledger);
    if (cell->way->program)
        exec_make(m);
    else
        run_make(m, cell);
}

int child_file(const struct compare *c, const struct cell *cell)
{
    if (cell->way->program)
        return c->file[cell->way->program];
    return c->file[strcmp(cell->engine->engine, "direct") ? GUEST_64 : GUEST_32];
}
