/* viaduct: the command line. One verb a file; this one finds the verb. */
#include "back/p9.h"
#include "cli/cli.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
static const struct verb *const verbs[] = {
    &verb_run, &verb_exec, &verb_compare, &verb_ctl, &verb_replay, &verb_guest,
    &verb_switch, &verb_domain, &verb_disk, &verb_seat,
    &verb_up, &verb_down, &verb_ps, &verb_console, &verb_logs,
    &verb_top, &verb_metrics,
    &verb_version, &verb_help};
/* clang-format on */

static int help_run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("viaduct: an x86-64 virtual machine monitor whose heart is I/O\n\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        printf("  viaduct %-8s %-22s %s\n", verbs[i]->name, verbs[i]->args, verbs[i]->summary);
    printf("\nviaduct VERB --help tells a verb's options; man viaduct tells the rest.\n");
    return EXIT_OFF;
}

const struct verb verb_help = {"help", "", "this list", help_run};

static int version_run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("viaduct 0.1.0\n");
    return EXIT_OFF;
}

const struct verb verb_version = {"version", "", "which version this is", version_run};

static const struct verb *verb_find(const char *name)
{
    if (!strncmp(name, "--", 2)) /* viaduct --help, viaduct --version */
        name += 2;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (!strcmp(verbs[i]->name, name))
            return verbs[i];
    return NULL;
}

/* A standard stream that is closed stays so: nothing opened later takes its number, such as guest
 * memory. What is there instead can neither be read nor written. */
static void streams_hold(void)
{
    int fd;

    do /* at most four times */
        fd = open("/dev/null", O_PATH);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* What a verb printed is there, or its work is not done: a full disk, a stream that is closed. */
static int stdout_end(int status)
{
    bool lost = ferror(stdout); /* of which the reason is forgotten */

    if (!fflush(stdout) && !lost)
        return status;
    log_error("standard output: %s", lost ? "not all could be written" : strerror(errno));
    return status ? status : EXIT_VMM;
}

int main(int argc, char **argv)
{
    const struct verb *v;

    if (argc < 2) {
        log_error("no verb; try: viaduct run, viaduct guest fetch, viaduct help");
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], P9_VERB)) /* ourselves, as the server of a share: nobody's to type */
        return p9_main(argc, argv);
    streams_hold();
    v = verb_find(argv[1]);
    if (!v) {
        log_error("%s: no such verb; viaduct help lists them", argv[1]);
        return EXIT_USAGE;
    }
    return stdout_end(v->run(argc - 1, argv + 1));
}
