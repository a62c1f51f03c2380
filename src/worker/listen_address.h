/* SPDX-License-Identifier: MIT */
/* listen_address.h - reads the values of --listen. */
#ifndef SRC_WORKER_LISTEN_ADDRESS_H
#define SRC_WORKER_LISTEN_ADDRESS_H

#include <sys/socket.h>

#include "h2mux/base/slice.h"

/* Reads a port, 0 to 65535. Returns 0, ERR_SYNTAX or ERR_LIMIT. */
int listen_port_parse(struct slice text, uint16_t *out) MUSTCHECK;

/* Reads a value of --listen: ADDR:PORT or [IPV6]:PORT with a numeric address, or unix:/PATH, which
 * makes @out a sockaddr_un. Returns 0, or ERR_SYNTAX when @text has another form. */
int listen_address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len) MUSTCHECK;

#endif
