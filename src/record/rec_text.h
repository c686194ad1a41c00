/* Recordings as text: lines that grow, bytes as hex digits, files with a checksum at the end. */
#ifndef RECORD_REC_TEXT_H
#define RECORD_REC_TEXT_H

#include "core/types.h"
#include <stdio.h>

struct error;
struct ZSTD_CCtx_s;

struct rec_text {
    char *s; /* always ends with a NUL once something was added */
    size_t len, room;
    bool lost; /* out of memory: something is missing */
};

/* rec_text.c */
void rec_add(struct rec_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Bytes in full: hex digits, (N*HH) for N equal bytes; "-" for none. */
void rec_add_data(struct rec_text *t, const void *buf, size_t len);
/* Bytes that need only be compared: in full if they are few, else #CRC32. */
void rec_add_sum(struct rec_text *t, const void *buf, size_t len);
uint32_t rec_crc(uint32_t crc, const void *buf, size_t len);
void rec_add_crc(struct rec_text *t, uint32_t crc, size_t len);
/* The data word s as exactly len bytes. False: it is not. */
bool rec_data(const char *s, void *buf, size_t len);
size_t rec_data_len(const char *s); /* how many bytes s stands for; SIZE_MAX: it is no data word */
/* A number with nothing but a blank or the end behind it; *s moves past the blank. */
bool rec_number(const char **s, int base, uint64_t *v);

/* rec_file.c */
#define REC_SUM_FULL 64u /* bytes that rec_add_sum writes in full */

struct rec_out {
    FILE *f;
    struct ZSTD_CCtx_s *z; /* NULL: plain text */
    char *path;
    uint32_t crc;
    uint64_t lines, bytes; /* of text */
    int err;               /* the first -errno */
};

int rec_out_open(struct rec_out *o, const char *path, struct error *err);
void rec_out_text(struct rec_out *o, const char *s, size_t len); /* whole lines */
/* Writes the last line, which has the checksum, and closes. 0 or the first -errno. */
int rec_out_end(struct rec_out *o);
void rec_out_drop(struct rec_out *o, bool remove); /* closes without it */

struct rec_in {
    char *name, *text;
    size_t len;
    char *next;    /* the next line, or NULL */
    unsigned line; /* number of the line last taken; the next has this + 1 */
};

int rec_in_open(struct rec_in *in, const char *path, struct error *err);
int rec_in_text(struct rec_in *in, const char *name, const char *text, size_t len,
                struct error *err);
/* Checks and takes off the last line. */
int rec_in_check(struct rec_in *in, bool edited, struct error *err);
char *rec_in_line(struct rec_in *in); /* the next line, without its end; NULL: none left */
void rec_in_close(struct rec_in *in);

#endif
