/* viaduct compare --with FILE: tables that a benchmark printed, taken into the report. */
#ifndef CLI_COMPARE_WITH_H
#define CLI_COMPARE_WITH_H

#include "cli/compare.h"

#define WITH_COLUMNS_MAX 16

/* Who is told of what stands in such a file, in its order; each may be NULL. */
struct with_sink {
    void (*title)(void *ctx, const char *text); /* a line that begins with # */
    void (*note)(void *ctx, const char *text);  /* a line that is neither title nor table */
    void (*row)(void *ctx, char **cell, unsigned n, bool head);
    void (*end)(void *ctx); /* of a table */
};

/* Of the text that compare_with_read left; 0, or -EINVAL with err filled. */
int compare_with_walk(const char *text, const struct with_sink *sink, void *ctx, struct error *err);

void compare_with_html(FILE *out, const char *text);
struct cJSON *compare_with_json(const char *text); /* an array, or NULL: no memory */

#endif
