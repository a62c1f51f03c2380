/* SPDX-License-Identifier: MIT */
/* notify.h - tells the supervisor that started the process, such as systemd, how the process is.
 *
 * A message is one datagram of lines NAME=VALUE to the unix socket that NOTIFY_SOCKET names, a path
 * or, after '@', an abstract name: sd_notify(3). The socket is opened once, at the start, so that a
 * process that may open nothing later can still tell. */
#ifndef H2MUX_BASE_NOTIFY_H
#define H2MUX_BASE_NOTIFY_H

#include <stdint.h>

struct notify {
    int fd;               /* -1: nobody waits for messages */
    uint64_t watchdog_ms; /* the supervisor ends a process that was silent for this; 0: never */
};

/* Connects to the supervisor that the environment names, and removes its variables from the
 * environment, because they are not for children. Without a supervisor, or with one that cannot be
 * reached, messages go nowhere. No other thread may run. */
void notify_open(struct notify *n);

/* Sends @text, such as "READY=1". Waits for a supervisor that does not read for a second at most,
 * then drops the message. Any thread may call this. */
void notify_tell(const struct notify *n, const char *text);

void notify_close(struct notify *n);

#endif
