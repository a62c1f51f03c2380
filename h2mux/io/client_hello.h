/* SPDX-License-Identifier: MIT */
/* client_hello.h - reads a ClientHello, the first message of TLS (RFC 8446 4.1.2), out of bytes
 * that TLS has not read yet: which server it asks for (RFC 6066 3), and which protocols it offers
 * (RFC 7301 3.1). A message may be split over any number of records (RFC 8446 5.1). The reader is
 * pure.
 *
 * The reader judges only what it needs. It is TLS that tells a peer what is wrong with its hello. A
 * hello whose inner name is encrypted (ECH) asks for its outer one, which is all that can be seen
 * here. */
#ifndef H2MUX_IO_CLIENT_HELLO_H
#define H2MUX_IO_CLIENT_HELLO_H

#include <stdint.h>

#include "h2mux/base/err.h"
#include "h2mux/base/slice.h"

enum {
    CLIENT_HELLO_MAX = 16384, /* bytes on the wire, with the heads of its records */
    CLIENT_HELLO_NAME_MAX = 255
};

struct client_hello {
    /* The server's name (SNI), in lower case and without a dot at its end. It has letters, digits,
     * dots, dashes and underscores only. Empty if there is no name, or one that no host has. */
    char name[CLIENT_HELLO_NAME_MAX + 1];

    /* What it offers by ALPN. */
    bool has_alpn; /* the extension is there, whatever it lists */
    bool offers_h2, offers_http1;
};

/* How far the bytes have been looked at. Zeroed at the beginning. */
struct client_hello_reader {
    size_t record;         /* where the record begins that is not whole yet */
    size_t got;            /* bytes of the message in the records before it */
    unsigned char head[4]; /* the first of them: type and length */
};

/* Reads @bytes, which are all that came from the beginning on, and are more at each call. Returns 0
 * with @out filled in; ERR_AGAIN when the message is not whole yet; ERR_SYNTAX, with nothing in
 * @out, when it is no ClientHello; ERR_LIMIT when it ends beyond CLIENT_HELLO_MAX bytes. */
int client_hello_read(struct client_hello_reader *r, struct slice bytes,
                      struct client_hello *out) MUSTCHECK;

#endif
