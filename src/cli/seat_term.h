/* Between seat_console.c, which models a machine's terminal, and seat_tty.c, which paints it. */
#ifndef CLI_SEAT_TERM_H
#define CLI_SEAT_TERM_H

#include "cli/seat.h"
#include <vterm.h>

#define SEAT_ROWS_MAX 300u
#define SEAT_COLS_MAX 500u

/* A cell of what the machine shows; blank beyond it. */
void seat_console_cell(const struct seat_console *c, int row, int col, VTermScreenCell *out);
/* False: it shows no cursor. */
bool seat_console_cursor(const struct seat_console *c, int *row, int *col);
bool seat_console_there(const struct seat_console *c);

#endif
