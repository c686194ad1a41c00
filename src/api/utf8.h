/* Text that goes out as JSON must be UTF-8, whatever came in (RFC 8259, section 8.1). */
#ifndef API_UTF8_H
#define API_UTF8_H

/* Each byte that is no part of a well-formed sequence becomes a question mark. */
void utf8_mend(char *text);

#endif
