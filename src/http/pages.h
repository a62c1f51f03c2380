/* SPDX-License-Identifier: MIT */
/* pages.h - holds the operator's own pages, which replace the pages that oneportd makes (--pages).
 *
 * The file index.html of the folder is the landing page. 404.html is the page of errors with that
 * status, and error.html that of all other errors. A file may be missing. Only pages are replaced:
 * programs get JSON as before. */
#ifndef SRC_HTTP_PAGES_H
#define SRC_HTTP_PAGES_H

#include "src/http/answer.h"

struct pages;

enum { PAGES_MAX = 60 * 1024 /* bytes of one page */, PAGES_REASON_MAX = 512 };

/* Reads the pages of the folder @dir. Returns NULL, with a sentence in @reason, if the folder has
 * none of them, or if one cannot be read or is longer than PAGES_MAX. */
struct pages *pages_load(const char *dir, char reason[static PAGES_REASON_MAX]) MUSTCHECK;

/* NULL is fine. */
void pages_free(struct pages *p);

/* Replaces the body of @a, if it is a page, by the operator's page for its status. The page may
 * have styles and pictures in itself, and nothing else that runs or is loaded. Threads share @p;
 * NULL replaces nothing. */
void pages_replace(const struct pages *p, struct answer *a);

#endif
