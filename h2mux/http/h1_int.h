/* SPDX-License-Identifier: MIT */
/* h1_int.h - what h1_scan.c, h1_head.c and h1_body.c share. */
#ifndef H2MUX_HTTP_H1_INT_H
#define H2MUX_HTTP_H1_INT_H

#include "h2mux/http/h1.h"

enum { H1_METHOD_MAX = 32 }; /* rule Q4 */

/* Where h1_scan_head begins when no start line comes before the fields: a trailer section. */
#define H1_SCAN_TRAILERS ((struct h1_scan){.lines = 1})

/* Takes the next line, without its CRLF, off lines that h1_scan_head has judged. */
struct slice h1_next_line(struct slice *lines);
/* Takes the next field off them; false at the empty line. */
bool h1_next_field(struct slice *lines, struct field *out);

#endif
