/* Messages to the user; see core/log.h. One write per line, so that lines of threads don't mix. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

static void log_line(const char *prefix, const char *suffix, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void log_line(const char *prefix, const char *suffix, const char *fmt, va_list ap)
{
    char text[1024];

    vsnprintf(text, sizeof(text), fmt, ap);
    fprintf(stderr, "viaduct: %s%s%s\n", prefix, text, suffix);
}

void log_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line("error: ", "", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line("warning: ", "", fmt, ap);
    va_end(ap);
}

void log_info(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line("", "", fmt, ap);
    va_end(ap);
}

static void log_within(struct log_budget *budget, const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void log_within(struct log_budget *budget, const char *prefix, const char *fmt, va_list ap)
{
    if (!budget->left)
        return;
    budget->left--;
    log_line(prefix, budget->left ? "" : " (no more messages of this kind)", fmt, ap);
}

void log_guest(struct log_budget *budget, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_within(budget, "guest: ", fmt, ap);
    va_end(ap);
}

void log_peer(struct log_budget *budget, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_within(budget, "", fmt, ap);
    va_end(ap);
}
