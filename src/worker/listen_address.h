/* SPDX-License-Identifier: MIT */
/* listen_address.h - reads the values of --listen. */
#ifndef SRC_WORKER_LISTEN_ADDRESS_H
#define SRC_WORKER_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "h2mux/base/opt.h"

enum { LISTEN_ADDRESSES_MAX = 2 };

struct listen_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* Holds the addresses that one value names. Two of them are of different families and have the same
 * port; one of them is enough on a machine that lacks the other family. */
struct listen_addresses {
    struct listen_address v[LISTEN_ADDRESSES_MAX];
    size_t n;
};

/* Reads a port, 0 to 65535. Returns 0, ERR_SYNTAX or ERR_LIMIT. */
int listen_port_parse(struct slice text, uint16_t *out) MUSTCHECK;

/* Reads a value of --listen: ADDR:PORT or [IPV6]:PORT with a numeric address; *:PORT, :PORT or PORT
 * for all addresses, and localhost:PORT for the loopback addresses, of both families; or
 * unix:/PATH. Returns 0, or ERR_SYNTAX when @text has another form. */
int listen_address_parse(const char *text, struct listen_addresses *out) MUSTCHECK;

/* Returns the port of @a in the machine's order of bytes; 0 for a unix socket. */
uint16_t listen_address_port(const struct listen_address *a);

/* Sets the port of @a, which is no unix socket. */
void listen_address_set_port(struct listen_address *a, uint16_t port);

/* Returns whether a value in the list @all, of --listen, is an IPv4 address with @port. Then [::]
 * with this port must leave IPv4 alone (IPV6_V6ONLY, RFC 3493 5.3). */
bool listen_address_has_v4(const struct opt_list *all, uint16_t port);

#endif
