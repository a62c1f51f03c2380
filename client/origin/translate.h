/* SPDX-License-Identifier: MIT */
/* translate.h - what changes between HTTP/2 on the link and HTTP/1.1 at the origin: rules D2, D9,
 * R4-R8, R14. Pure.
 *
 * One authority (D1) is the stream's business, one cookie line (D3) the writer's. */
#ifndef CLIENT_ORIGIN_TRANSLATE_H
#define CLIENT_ORIGIN_TRANSLATE_H

#include "h2mux/http/message.h"

/* Judges a request from the link again, as if nobody had before (nghttp2 lets pass what HTTP/1.1
 * cannot carry), and takes its hop-by-hop fields out. @wants_trailers: the viewer takes trailers.
 * ERR_PROTOCOL: @reason is static text. */
int translate_to_origin(struct message *m, bool *wants_trailers, const char **reason) MUSTCHECK;

/* Trailers of a request: the forbidden ones go. ERR_PROTOCOL: a name or value is malformed. */
int translate_trailers_to_origin(struct fields *t) MUSTCHECK;

/* An answer of the origin, interim ones too: hop-by-hop and oneport-* fields and alt-svc go.
 * ERR_PROTOCOL: its Connection field names what it must not. */
int translate_from_origin(struct message *m) MUSTCHECK;

#endif
