/* An error on its way to the user; see core/error.h. */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return code;
}

int error_lead(struct error *err, int code, const char *lead)
{
    size_t len = strlen(lead);

    if (!code || !err || len >= sizeof(err->text))
        return code;
    memmove(err->text + len, err->text, sizeof(err->text) - len);
    memcpy(err->text, lead, len);
    err->text[sizeof(err->text) - 1] = 0;
    return code;
}
