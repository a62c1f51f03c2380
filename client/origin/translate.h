/* SPDX-License-Identifier: MIT */
/* translate.h - judges and changes heads and trailers between HTTP/2 on the link and HTTP/1.1 or
 * HTTP/2 at the origin. Rules D2, D9, R4-R8, R14. Pure.
 *
 * The stream sees to a single authority (D1), and h1_write to a single cookie line (D3). */
#ifndef CLIENT_ORIGIN_TRANSLATE_H
#define CLIENT_ORIGIN_TRANSLATE_H

#include "h2mux/http/message.h"

/* Judges a request from the link as if nobody had judged it before, since nghttp2 lets pass what
 * HTTP/1.1 cannot carry, and removes its hop-by-hop fields and oneport-*. Sets @wants_trailers to
 * whether the viewer takes trailers. Fails with ERR_PROTOCOL; @reason is static text then. */
int translate_to_origin(struct message *m, bool *wants_trailers, const char **reason) MUSTCHECK;

/* Makes @m, which translate_to_origin has judged, the head of a stream: with the scheme by which
 * the origin is spoken to, and with `te: trailers` if the viewer takes trailers (rule D37). */
void translate_to_stream(struct message *m, bool https, bool wants_trailers);

/* Removes the forbidden trailers of a request. Fails with ERR_PROTOCOL when a name or value is
 * malformed. */
int translate_trailers_to_origin(struct fields *t) MUSTCHECK;

/* Removes hop-by-hop fields, oneport-* fields and alt-svc from a response of the origin, interim
 * ones too. Fails with ERR_PROTOCOL when Connection names a field that it must not name. */
int translate_from_origin(struct message *m) MUSTCHECK;

#endif
