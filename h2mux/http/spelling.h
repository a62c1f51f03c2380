/* SPDX-License-Identifier: MIT */
/* spelling.h - spells field names for HTTP/1.1, as people and small programs write them. Rules D35,
 * R28, W12. Pure.
 *
 * HTTP/2 has names in small letters, and their case means nothing in HTTP/1.1 either (RFC 9110
 * 5.1). But programs that compare names byte by byte know the usual spelling alone. */
#ifndef H2MUX_HTTP_SPELLING_H
#define H2MUX_HTTP_SPELLING_H

#include "h2mux/base/slice.h"

/* Writes @name to @to, which has room for as many bytes. A name with an established spelling of its
 * own gets that one (ETag, WWW-Authenticate). In others the first letter of each part between
 * hyphens becomes a capital, and all else stays. A name that has capitals already loses none. */
void spelling_write(char *to, struct slice name);

#endif
