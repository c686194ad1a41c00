/* viaduct exec goes into its jail: after exec_open, before the program's first instruction. */
#ifndef CLI_EXEC_BOX_H
#define CLI_EXEC_BOX_H

#include "cli/run_box.h"

struct exec_setup;

/* root: exec_root's; output: a file is written at the end. */
int exec_box_enter(const struct exec_setup *s, int root, bool output, enum box_mode mode,
                   struct error *err);

#endif
