/* An error on its way to the user: filled where it is found, printed once where it is handled. */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

struct error {
    char text[512]; /* one line: which option or file, what was wrong, what to do */
};

/* Fill err (may be NULL) and return code, so that callers write: return error_set(err, -EINVAL, …).
 */
int error_set(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts lead in front of what err says, if code is an error; returns code. */
int error_lead(struct error *err, int code, const char *lead);

#endif
