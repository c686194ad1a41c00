/* The verbs, and what they share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "core/types.h"

struct error;

/* Exit statuses. Even, so that none is one of --debug-exit's, which are odd: (value << 1) | 1. */
enum {
    EXIT_OFF = 0,      /* the guest powered off; or the verb did its work */
    EXIT_USAGE = 2,    /* the command line, or a file it names, can't be used; nothing ran */
    EXIT_VMM = 4,      /* viaduct itself failed */
    EXIT_RESET = 6,    /* the guest reset itself: reboot, or a panic */
    EXIT_TRIPLE = 8,   /* triple fault */
    EXIT_TIMEOUT = 10, /* --timeout was over */
    EXIT_QUIT = 12,    /* the user ended it: escape key or a signal */
    EXIT_HALTED = 14,  /* the guest halted with interrupts off */
    EXIT_DIFFERS = 16, /* replay: a device did something else than was recorded */
    EXIT_BROKEN = 18,  /* --check: a driver broke a rule; how the run ended is not told */
};

struct verb {
    const char *name, *args, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

extern const struct verb verb_run, verb_exec, verb_compare, verb_ctl, verb_replay, verb_guest,
    verb_switch, verb_domain, verb_disk, verb_seat, verb_version, verb_help;
extern const struct verb verb_up, verb_down, verb_ps, verb_console, verb_logs; /* lab*.c */
extern const struct verb verb_top, verb_metrics;

/* Would the verb take these words? 0, or -EINVAL with err filled. Nothing is opened. */
typedef int verb_judge(int argc, char **argv, struct error *err);
verb_judge run_judge, domain_judge, switch_judge, seat_judge;

/* ---- options: --name VALUE, --name=VALUE, --flag ---- */

struct opt {
    const char *name;  /* without the dashes */
    const char *value; /* what stands for the value in help; NULL: a flag; [=…]: may have one */
    const char *help;
    /* Takes the value (NULL if there is none); 0, or -EINVAL with err filled. */
    int (*take)(void *ctx, const char *value, struct error *err);
};

/*
 * Reads all options; opts ends with name NULL. --help prints usage and is told by *help. Words that
 * are no options go to word(), if given. 0, or -EINVAL with err filled.
 */
int opt_parse(const struct opt *opts, int argc, char **argv, void *ctx,
              int (*word)(void *ctx, const char *word, struct error *err), bool *help,
              struct error *err);
void opt_help(const struct verb *verb, const struct opt *opts);
/* "512M", "2G", "65536K"; a number alone is MiB. 0 or -EINVAL. */
int opt_size(const char *s, uint64_t *bytes);
/* Can the file that --name names be written later? Creates nothing. 0, or -EINVAL with err filled.
 */
int opt_output(const char *name, const char *path, struct error *err);

/* guest.c: where the bundled guest lives. */
#define GUEST_KERNEL "vmlinux"
#define GUEST_INITRD "initramfs.cpio"
int guest_dir(char *buf, size_t room, const char *given);

#endif
