/* lab_tell.h tells. */
#include "cli/lab_tell.h"
#include "cli/cli.h"
#include "cli/lab.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define TAIL_LINES 4u

static const char *meaning(int status)
{
    switch (status) {
    case EXIT_USAGE: return ": it can't be run so";
    case EXIT_VMM: return ": viaduct failed";
    case EXIT_RESET: return ": the guest reset itself";
    case EXIT_TRIPLE: return ": triple fault";
    case EXIT_TIMEOUT: return ": its time was over";
    case EXIT_QUIT: return ": told to quit";
    case EXIT_HALTED: return ": halted with interrupts off";
    case EXIT_BROKEN: return ": a driver broke a rule";
    default: return "";
    }
}

void lab_tell_status(int status, char *buf, size_t room)
{
    if (status == -1)
        snprintf(buf, room, "ended");
    else if (WIFSIGNALED(status))
        snprintf(buf, room, "was killed by signal %d", WTERMSIG(status));
    else if (!WEXITSTATUS(status))
        snprintf(buf, room, "ended by itself");
    else
        snprintf(buf, room, "ended with status %d%s", WEXITSTATUS(status),
                 meaning(WEXITSTATUS(status)));
}

void lab_tell_tail(const char *run, const char *name, char *buf, size_t room)
{
    char *path = lab_path(run, name, LAB_ERR), *line[TAIL_LINES] = {NULL}, *text = NULL;
    FILE *f = path ? fopen(path, "re") : NULL;
    size_t size = 0, n = 0;
    unsigned lines = 0;

    *buf = 0;
    while (f && getline(&text, &size, f) > 0) {
        text[strcspn(text, "\r\n")] = 0;
        free(line[lines % TAIL_LINES]);
        line[lines++ % TAIL_LINES] = strdup(text);
    }
    for (unsigned i = 0; i < TAIL_LINES; i++) {
        char *l = line[(lines + i) % TAIL_LINES];

        if (l && *l && n < room)
            n += (size_t)snprintf(buf + n, room - n, "%s%s", n ? " | " : "", l);
        free(l);
    }
    if (f)
        fclose(f);
    free(text);
    free(path);
}

static bool has_word(char *const *words, const char *word)
{
    for (; *words; words++)
        if (!strcmp(*words, word))
            return true;
    return false;
}

/* Words of one that the other hasn't; how many. */
static unsigned missing(char *const *has, char *const *other, const char *sign, char *buf,
                        size_t room)
{
    unsigned found = 0;

    for (; *has; has++) {
        size_t n = strlen(buf);

        if (has_word(other, *has))
            continue;
        if (found++ < 3 && n < room)
            snprintf(buf + n, room - n, "%s%s%.120s", n ? ", " : "", sign, *has);
    }
    return found;
}

bool lab_tell_difference(char *const *has, char *const *wants, char *buf, size_t room)
{
    unsigned found;

    *buf = 0;
    found = missing(has, wants, "it has ", buf, room);
    found += missing(wants, has, "the file says ", buf, room);
    return found;
}
