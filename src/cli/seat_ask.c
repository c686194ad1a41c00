/* viaduct seat list and switch: they ask a seat (seat_ctl.c), and are in a jail before its answer
 * comes (sandbox/rows_client.c). */
#include "cli/client_box.h"
#include "cli/seat.h"
#include "core/error.h"
#include "core/log.h"
#include "core/plain.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE  128u
#define WORDS 3u

struct asking {
    struct client client;
    const char *word[WORDS];
    unsigned words;
};

static int answer_print(FILE *f)
{
    char line[LINE];

    while (fgets(line, sizeof(line), f)) {
        plain_text(line);
        if (!strcmp(line, "ok\n"))
            return EXIT_OFF;
        if (!strncmp(line, "no ", 3)) {
            line[strcspn(line, "\n")] = 0;
            log_error("seat: %s", line);
            return EXIT_VMM;
        }
        fputs(line, stdout);
    }
    log_error("seat: it ended before it answered");
    return EXIT_VMM;
}

/* Connected, and asked; a descriptor, or -errno with err filled. */
static int ask(const char *path, const char *line, struct error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    if (fd >= 0 && !connect(fd, (const struct sockaddr *)&at, sizeof(at)) &&
        send(fd, line, strlen(line), MSG_NOSIGNAL) >= 0)
        return fd;
    error_set(err, -EINVAL, "%s: %s; is there a viaduct seat with --ctl %s?", path, strerror(errno),
              path);
    if (fd >= 0)
        close(fd);
    return -EINVAL;
}

static int hear(const struct asking *a, const char *line, struct error *err)
{
    int fd = ask(a->word[1], line, err), status = EXIT_USAGE;
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (f && !client_box_enter(&a->client, err))
        status = answer_print(f);
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    return status;
}

static int take_word(void *ctx, const char *word, struct error *err)
{
    struct asking *a = ctx;

    if (a->words == WORDS)
        return error_set(err, -EINVAL, "seat: too many words");
    a->word[a->words++] = word;
    return 0;
}

static const struct opt options[] = {CLIENT_OPTIONS, {0}};
static const struct verb verb_ask = {"seat", "list PATH | switch PATH NAME",
                                     "which machine has the seat; who shall have it", NULL};

static bool makes_sense(const struct asking *a)
{
    if (!strcmp(a->word[0], "list"))
        return a->words == 2;
    return a->words == 3 && seat_name_good(a->word[2], strlen(a->word[2]));
}

int seat_ask(int argc, char **argv)
{
    struct asking a = {
        .client = {.role = "seat list", .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_TELL)}};
    char line[64] = "list\n";
    struct error err = {0};
    bool help;
    int status = EXIT_USAGE;

    if (opt_parse(options, argc, argv, &a, take_word, &help, &err)) {
        log_error("%s", err.text);
        return status;
    }
    if (help) {
        opt_help(&verb_ask, options);
        return EXIT_OFF;
    }
    if (!makes_sense(&a)) {
        log_error("seat: viaduct seat switch PATH NAME, or viaduct seat list PATH");
        return status;
    }
    if (a.words == 3)
        snprintf(line, sizeof(line), "switch %s\n", a.word[2]);
    status = hear(&a, line, &err);
    if (*err.text)
        log_error("%s", err.text);
    return status;
}
