/*
 * viaduct ctl: speaks to the control socket of a running machine. Each verb is one command of the
 * protocol (docs/control.md) in the words of a command line. What it needs once it is connected,
 * and has nothing read yet: that socket, the standard streams, and the file of a picture.
 */
#include "cli/client_box.h"
#include "cli/ctl_call.h"
#include "cli/lab_ask.h"
#include "cli/screen.h"
#include "cli/screen_file.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOLD_MS    20 /* how long a chord is held */
#define WAIT_MS    10
#define WAIT_TIMES 3000 /* half a minute */

struct word {
    const char *name, *args, *help;
    int (*run)(struct ctl_call *c, int argc, char **argv, struct error *err);
    int min, max; /* words after the name; max -1: any number */
};

/* ---- keyboard ---- */

static cJSON *keys_of(const char *chord)
{
    cJSON *list = cJSON_CreateArray();

    while (*chord) {
        size_t n = strcspn(chord, "-");
        cJSON *key = cJSON_CreateObject();
        char name[64];

        snprintf(name, sizeof(name), "%.*s", (int)n, chord);
        cJSON_AddStringToObject(key, "type", "qcode");
        cJSON_AddStringToObject(key, "data", name);
        cJSON_AddItemToArray(list, key);
        chord += n + (chord[n] == '-');
    }
    return list;
}

static int key(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    int code = 0;

    for (int i = 1; i < argc && !code; i++) {
        cJSON *args = cJSON_CreateObject();

        cJSON_AddItemToObject(args, "keys", keys_of(argv[i]));
        cJSON_AddNumberToObject(args, "hold-time", HOLD_MS);
        code = ctl_call(c, "send-key", args, NULL, err);
        if (code && *err->text)
            return error_set(err, code, "%s: %.400s", argv[i], c->said);
    }
    return code;
}

static int type(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    int code = 0;

    for (int i = 1; i < argc && !code; i++) {
        cJSON *args = cJSON_CreateObject();

        cJSON_AddStringToObject(args, "text", argv[i]);
        code = ctl_call(c, "type-text", args, NULL, err);
    }
    return code;
}

/* ---- mouse ---- */

static void event_add(cJSON *list, const char *type, const char *key, const char *name,
                      const char *value_key, cJSON *value)
{
    cJSON *e = cJSON_CreateObject(), *data;

    cJSON_AddStringToObject(e, "type", type);
    data = cJSON_AddObjectToObject(e, "data");
    cJSON_AddStringToObject(data, key, name);
    cJSON_AddItemToObject(data, value_key, value);
    cJSON_AddItemToArray(list, e);
}

static int events_send(struct ctl_call *c, cJSON *list, struct error *err)
{
    cJSON *args = cJSON_CreateObject();

    cJSON_AddItemToObject(args, "events", list);
    return ctl_call(c, "input-send-event", args, NULL, err);
}

/* type: rel, how far; abs, where. */
static int move(struct ctl_call *c, const char *type, int argc, char **argv, struct error *err)
{
    static const char *const axis[] = {"x", "y", "wheel"};
    cJSON *list;
    long v[3];

    for (int i = 0; i < argc; i++) {
        char *end;

        v[i] = strtol(argv[i], &end, 10);
        if (end == argv[i] || *end)
            return error_set(err, -EINVAL, "mouse: %s: must be a number", argv[i]);
    }
    list = cJSON_CreateArray();
    for (int i = 0; i < argc; i++)
        event_add(list, type, "axis", axis[i], "value", cJSON_CreateNumber((double)v[i]));
    return events_send(c, list, err);
}

static int mouse(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    bool click = !strcmp(argv[1], "click");
    cJSON *list;

    if (!strcmp(argv[1], "move") && argc >= 4)
        return move(c, "rel", argc - 2, argv + 2, err);
    if (!strcmp(argv[1], "abs") && argc == 4)
        return move(c, "abs", 2, argv + 2, err);
    if (argc != 3 || (!click && strcmp(argv[1], "press") && strcmp(argv[1], "release")))
        return error_set(err, -EINVAL,
                         "mouse move DX DY [WHEEL], abs X Y, or press|release|click BUTTON");
    list = cJSON_CreateArray();
    event_add(list, "btn", "button", argv[2], "down",
              cJSON_CreateBool(click || !strcmp(argv[1], "press")));
    if (click)
        event_add(list, "btn", "button", argv[2], "down", cJSON_CreateBool(false));
    return events_send(c, list, err);
}

/* ---- asking ---- */

static int status(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    const cJSON *text;
    cJSON *got;
    int code = ctl_call(c, "query-status", NULL, &got, err);

    (void)argc, (void)argv;
    if (code)
        return code;
    text = cJSON_GetObjectItemCaseSensitive(got, "status");
    printf("%s\n", cJSON_IsString(text) ? text->valuestring : "?");
    cJSON_Delete(got);
    return 0;
}

static int leds(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    static const char *const name[] = {"scroll-lock", "num-lock", "caps-lock"};
    cJSON *got;
    int code = ctl_call(c, "query-leds", NULL, &got, err);

    (void)argc, (void)argv;
    if (code)
        return code;
    for (size_t i = 0; i < ARRAY_LEN(name); i++)
        printf("%s %s\n", name[i],
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(got, name[i])) ? "on" : "off");
    cJSON_Delete(got);
    return 0;
}

/* Until the guest has read all that was typed and moved. */
static int wait_idle(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000l};

    (void)argc, (void)argv;
    for (int i = 0; i < WAIT_TIMES; i++) {
        cJSON *got;
        int code = ctl_call(c, "query-leds", NULL, &got, err);
        bool idle = !code && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(got, "idle"));

        if (code)
            return code;
        cJSON_Delete(got);
        if (idle)
            return 0;
        nanosleep(&pause, NULL);
    }
    return error_set(err, -ETIMEDOUT, "the guest does not read its keyboard and mouse");
}

/* ---- the machine ---- */

static int plain(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    (void)argc;
    return ctl_call(c, strcmp(argv[0], "powerdown") ? argv[0] : "system_powerdown", NULL, NULL,
                    err);
}

static int patches_show(struct ctl_call *c, struct error *err)
{
    static const char *const name[] = {"now", "made", "restored", "lost", "refused", "copies"};
    cJSON *got;
    int code = ctl_call(c, "query-patching", NULL, &got, err);

    if (code)
        return code;
    printf("patching %s\n",
           cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(got, "enabled")) ? "on" : "off");
    for (size_t i = 0; i < ARRAY_LEN(name); i++)
        printf("%s %.0f\n", name[i],
               cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(got, name[i])));
    cJSON_Delete(got);
    return 0;
}

static int patches(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    bool on = argc > 1 && !strcmp(argv[1], "on");
    cJSON *args;

    if (argc == 1)
        return patches_show(c, err);
    if (!on && strcmp(argv[1], "off"))
        return error_set(err, -EINVAL, "patches %s: must be on or off", argv[1]);
    args = cJSON_CreateObject();
    cJSON_AddBoolToObject(args, "enable", on);
    return ctl_call(c, "set-patching", args, NULL, err);
}

static int balloon_show(struct ctl_call *c, struct error *err)
{
    cJSON *got;
    int code = ctl_call(c, "query-balloon", NULL, &got, err);

    if (code)
        return code;
    printf("%.0f MiB\n",
           cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(got, "actual")) / (1 << 20));
    cJSON_Delete(got);
    return 0;
}

static int balloon(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    uint64_t bytes;
    cJSON *args;

    if (argc == 1)
        return balloon_show(c, err);
    if (opt_size(argv[1], &bytes))
        return error_set(err, -EINVAL, "balloon %s: must be a size, as 256M", argv[1]);
    args = cJSON_CreateObject();
    cJSON_AddNumberToObject(args, "value", (double)bytes);
    return ctl_call(c, "balloon", args, NULL, err);
}

static int ports_show(struct ctl_call *c, struct error *err)
{
    const cJSON *p;
    cJSON *got;
    int code = ctl_call(c, "query-ports", NULL, &got, err);

    if (code)
        return code;
    cJSON_ArrayForEach(p, got)
        printf("%s %s %s\n", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(p, "name")),
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(p, "plugged")) ? "plugged" : "out",
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(p, "open")) ? "open" : "closed");
    cJSON_Delete(got);
    return 0;
}

static int port(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    bool in = argc == 3 && !strcmp(argv[2], "in");
    cJSON *args;

    if (argc == 1)
        return ports_show(c, err);
    if (argc != 3 || (!in && strcmp(argv[2], "out")))
        return error_set(err, -EINVAL, "port NAME in|out");
    args = cJSON_CreateObject();
    cJSON_AddStringToObject(args, "name", argv[1]);
    cJSON_AddBoolToObject(args, "plugged", in);
    return ctl_call(c, "set-port", args, NULL, err);
}

static int screendump(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    cJSON *args = cJSON_CreateObject(), *got;
    struct screen s;
    int code;

    (void)argc;
    cJSON_AddBoolToObject(args, "descriptor", true);
    code = ctl_call(c, "query-screen", args, &got, err);
    if (code)
        return code;
    code = screen_map(&s, got, c->passed, err);
    c->passed = -1;
    cJSON_Delete(got);
    if (code)
        return code;
    code = screen_save(&s, c->file, argv[1], err);
    c->file = NULL;
    screen_unmap(&s);
    return code;
}

static int qmp(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    int code = 0;

    for (int i = 1; i < argc && !code; i++) {
        code = ctl_raw(c, argv[i], err);
        if (!code)
            printf("%s\n", c->line);
    }
    return code;
}

static int events(struct ctl_call *c, int argc, char **argv, struct error *err)
{
    (void)argc, (void)argv;
    while (!ctl_event(c, err)) {
        printf("%s\n", c->line);
        fflush(stdout);
    }
    return 0;
}

static const struct word words[] = {
    {"key", "CHORD…", "press and release keys together: a, shift-a, ctrl-alt-delete, f1", key, 1,
     -1},
    {"type", "TEXT…", "type text, as on a US keyboard", type, 1, -1},
    {"mouse", "move DX DY [WHEEL] | abs X Y | press|release|click BUTTON",
     "right, down, wheel away; abs: a tablet's place, 0 to 32767; left right middle side extra "
     "wheel-up wheel-down",
     mouse, 2, 4},
    {"wait", "", "until the guest has read all that", wait_idle, 0, 0},
    {"leds", "", "which lights of the keyboard are on", leds, 0, 0},
    {"status", "", "running or paused", status, 0, 0},
    {"stop", "", "pause the vCPUs", plain, 0, 0},
    {"cont", "", "let them go on", plain, 0, 0},
    {"powerdown", "", "press the power button", plain, 0, 0},
    {"quit", "", "end the run, with status 12", plain, 0, 0},
    {"patches", "[on|off]", "patched instructions: how many; off puts all back", patches, 0, 1},
    {"balloon", "[SIZE]", "memory the guest has; SIZE: what it shall make do with", balloon, 0, 1},
    {"port", "[NAME in|out]", "ports of the virtio console; plug one in, pull it out", port, 0, 2},
    {"screendump", "FILE", "a picture of the screen: PNG if FILE ends in .png, else PPM",
     screendump, 1, 1},
    {"events", "", "print events until the machine ends", events, 0, 0},
    {"qmp", "JSON…", "send commands as they are, print the answers", qmp, 1, -1},
};

/* ---- the verb ---- */

static const struct opt options[] = {CLIENT_OPTIONS, {0}};

static void help(void)
{
    opt_help(&verb_ctl, options);
    printf("\n");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        printf("  %s%s%s\n      %s\n", words[i].name, *words[i].args ? " " : "", words[i].args,
               words[i].help);
}

static const struct word *word_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i].name, name))
            return &words[i];
    return NULL;
}

/* Of system calls. */
static uint64_t sets_of(const struct word *w)
{
    uint64_t all = BOX_BIT(BOX_FEW) | BOX_BIT(BOX_ASK);

    if (w->run == screendump)
        return all | BOX_BIT(BOX_OUTPUT) | BOX_BIT(BOX_PICTURE);
    return all | BOX_BIT(BOX_TELL) | (w->run == wait_idle ? BOX_BIT(BOX_PAUSE) : 0);
}

static int usage(const char *why)
{
    log_error("%s; viaduct ctl --help lists the words", why);
    return EXIT_USAGE;
}

/* Of labs, files and descriptors all is done when this returns. */
static int reach(const char *name, struct error *err)
{
    char path[128];

    return ctl_dial(lab_ctl_path(path, sizeof(path), name) ? path : name, 0, err);
}

static int speak(struct client *client, int argc, char **argv, struct error *err)
{
    const struct word *w = word_find(argv[2]);
    struct ctl_call c = {.fd = -1, .passed = -1};
    int code = 0, fd = reach(argv[1], err);

    if (fd < 0)
        return fd;
    client->sets = sets_of(w);
    if (w->run == screendump) {
        c.file = screen_file_open(argv[3], err);
        code = c.file ? 0 : -EIO;
    }
    if (!code)
        code = client_box_enter(client, err);
    if (code)
        close(fd);
    else
        code = ctl_greet(&c, fd, err);
    if (!code)
        code = w->run(&c, argc - 2, argv + 2, err);
    ctl_hang_up(&c);
    return code;
}

/* Options stand before all words: behind them, words may begin with dashes. */
static int options_take(struct client *client, int *argc, char ***argv, bool *help,
                        struct error *err)
{
    int n = 1, code;

    while (n < *argc && !strncmp((*argv)[n], "-", 1))
        n += strcmp((*argv)[n], "--sandbox") ? 1 : 2;
    n = n < *argc ? n : *argc;
    code = opt_parse(options, n, *argv, client, NULL, help, err);
    (*argv)[n - 1] = (*argv)[0];
    *argc -= n - 1;
    *argv += n - 1;
    return code;
}

static int ctl_run(int argc, char **argv)
{
    struct client client = {.role = "ctl"};
    const struct word *w;
    struct error err = {0};
    bool wants_help;
    int code = options_take(&client, &argc, &argv, &wants_help, &err);

    if (!code && wants_help) {
        help();
        return EXIT_OFF;
    }
    w = argc > 2 ? word_find(argv[2]) : NULL;
    if (!code && !w)
        return usage(argc > 2 ? "no such word" : "usage: viaduct ctl PATH WORD…");
    if (!code && (argc - 3 < w->min || (w->max >= 0 && argc - 3 > w->max)))
        return usage("too few or too many words");
    if (!code)
        code = speak(&client, argc, argv, &err);
    if (code)
        log_error("%s", err.text);
    return !code ? EXIT_OFF : code == -EINVAL ? EXIT_USAGE : EXIT_VMM;
}

const struct verb verb_ctl = {"ctl", "PATH|NAME WORD…", "speak to a running machine", ctl_run};
