/* SPDX-License-Identifier: MIT */
/* page_call.h - tells whether a web page, a link or a prefetch made a browser send a request. Such
 * a request must change nothing: its page is on any site, and its user knows nothing of it. Pure.
 * Rule Q60. */
#ifndef SRC_HTTP_PAGE_CALL_H
#define SRC_HTTP_PAGE_CALL_H

#include "h2mux/http/message.h"

/* Returns whether a page has caused the request @m. @https: its viewer came over TLS, where
 * browsers send Fetch metadata (W3C Fetch Metadata Request Headers). Without TLS they send none,
 * and the fields count that browsers send and programs do not. */
bool page_call(const struct message *m, bool https);

#endif
