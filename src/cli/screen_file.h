/*
 * The file that a picture goes to, by a process that may not open or take away files: it is opened
 * first, and another process sees to it that a new one is gone again if no picture came.
 */
#ifndef CLI_SCREEN_FILE_H
#define CLI_SCREEN_FILE_H

#include <stdio.h>

struct error;

/* Returns in a process of its own; the one before waits for it and ends as it does. What the file
 * had stays until something is written (screen_save). NULL: err says why. */
FILE *screen_file_open(const char *path, struct error *err);

#endif
