/* SPDX-License-Identifier: MIT */
/* kernel.h - what Linux has and POSIX has not, for both programs. Beside the sandbox, kernel.c is
 * the only file of the client and of h2mux/ that asks Linux for something of its own; a port to
 * another system replaces it (docs/porting.md). */
#ifndef H2MUX_BASE_KERNEL_H
#define H2MUX_BASE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* ---- descriptors. Each new one is closed by exec. -1 stands for a failure, with errno set. */

/* Makes a socket, which does not block if @ready is true. */
int kernel_socket(int family, int type, bool ready);
/* Accepts a connection, whose socket does not block. @from and @len may be NULL. */
int kernel_accept(int fd, struct sockaddr *from, socklen_t *len);
/* Makes a pipe. */
int kernel_pipe(int ends[2]);
/* Opens what @fd leads to once more, with @flags of open(2). Flags of one do not count for the
 * other. */
int kernel_reopen(int fd, int flags);
/* Makes @to a second descriptor of what @fd is, in place of what it was. Returns @to. */
int kernel_dup_to(int fd, int to);
/* Returns the number that the next descriptor would have. */
int kernel_next_descriptor(void);
/* Returns how many descriptors the process has open; 0 if the kernel does not tell. */
size_t kernel_open_descriptors(void);

/* ---- waking: a descriptor that is readable after kernel_wake_ring, until kernel_wake_heed */

int kernel_wake_new(void);
/* Returns 0. -1 cannot be but for a descriptor that is none. Any thread may call it. */
int kernel_wake_ring(int fd);
/* Returns whether it was readable. */
bool kernel_wake_heed(int fd);

/* ---- TCP */

struct kernel_tcp {
    unsigned retransmits; /* of the bytes that wait the longest */
    unsigned probes;      /* that were not answered, of a closed window or of keepalive */
    unsigned quiet_ms;    /* since the peer's last acknowledgement */
    bool waiting;         /* bytes are not acknowledged, or not sent */
};

/* Writes to @out what the kernel knows about the peer of a TCP connection. Returns 0, or -1. */
int kernel_tcp_look(int fd, struct kernel_tcp *out);
/* Stores the round trip of a TCP connection, smoothed over the last acknowledgements, and the
 * shortest one of the last minutes, in microseconds. Returns 0, or -1 if none was measured. */
int kernel_tcp_trip(int fd, uint64_t *rtt_us, uint64_t *least_us);
/* Returns how many bytes the peer has not acknowledged, of TCP, or not read, of a unix socket; -1
 * if the kernel does not tell. */
int kernel_unacknowledged(int fd);
/* Asks a silent peer after @idle_s seconds, then each @interval_s, for @probes times. */
void kernel_keep_alive(int fd, int idle_s, int interval_s, int probes);
/* Chooses the congestion control @name for a TCP socket. Returns 0 or an errno. */
int kernel_congestion(int fd, const char *name);
/* Returns whether the peer has sent FIN or RST, also when bytes wait before it. */
bool kernel_peer_left(int fd);
/* Returns 1 if a socket of this machine listens on @port, 0 if none does, -1 if the kernel does not
 * tell. */
int kernel_listens(uint16_t port);
/* Returns whether @line, of /proc/net/tcp or tcp6 (proc(5)), is a socket that listens on @port.
 * Pure. */
bool kernel_listens_in_line(const char *line, uint16_t port);

/* Returns the user of the process at the other end of a unix socket, as it was when it connected;
 * -1 if the kernel does not tell. */
uid_t kernel_peer_user(int fd);

/* ---- the process */

/* Fills @out with random bytes, or leaves it if the kernel has none yet, shortly after boot. */
void kernel_random_early(void *out, size_t size);

/* Returns the microseconds of a clock that goes on while the machine sleeps. */
uint64_t kernel_boot_us(void);
/* Returns how many bytes of the process are in memory, without those mapped from files; 0 if the
 * kernel does not tell. */
size_t kernel_resident(void);

#endif
