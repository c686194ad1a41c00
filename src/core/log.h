/* Messages to the user on stderr. Guest-triggered messages go through log_guest, which is rate
 * limited by a budget so that a guest can't fill a disk. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct log_budget {
    unsigned left; /* lines still allowed; the last one says that more are suppressed */
};
void log_guest(struct log_budget *budget, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what the peer at a socket does. */
void log_peer(struct log_budget *budget, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
