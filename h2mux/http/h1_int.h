/* SPDX-License-Identifier: MIT */
/* h1_int.h - is shared by h1_scan.c, h1_head.c and h1_body.c. */
#ifndef H2MUX_HTTP_H1_INT_H
#define H2MUX_HTTP_H1_INT_H

#include "h2mux/http/h1.h"

enum { H1_METHOD_MAX = 32 }; /* rule Q4 */

/* The state in which h1_scan_head begins with a trailer section: no start line comes before it. */
#define H1_SCAN_TRAILERS ((struct h1_scan){.lines = 1})

/* Takes the next field off lines that h1_scan_head has judged. Returns false at the empty line. */
bool h1_next_field(struct slice *lines, struct field *out);

#endif
