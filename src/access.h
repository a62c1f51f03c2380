/* access.h - one line an exchange, at its end: who asked for what, what it got, from where, how
 * long. Text or JSON. */
#ifndef SRC_ACCESS_H
#define SRC_ACCESS_H

#include "h2mux/message.h"

struct log_file;

struct access_entry {
    const char *viewer;                                   /* address */
    struct slice host, method, path, user_agent, referer; /* borrowed for the call; any octets */
    const char *tunnel;                                   /* name or "-" */
    int status; /* 0: none was sent (the viewer left first): printed as 499 */
    int minor_version;
    bool websocket;
    uint64_t rx_octets, tx_octets; /* bodies from and to the viewer */
    uint64_t duration_us, wait_us; /* until the end; held before a link took it */
    const char *error;             /* RFC 9209 type or our event; NULL: none */
    bool aborted;                  /* cut off after the head */
};
/* Text: combined-like `viewer - - [time] "METHOD path HTTP/1.1" status octets "referer" "agent"
 * tunnel=… host=… ms=… …`, every foreign value escaped. */
void access_write(struct log_file *f, bool json, const struct access_entry *e);

#endif
