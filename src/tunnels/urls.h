/* SPDX-License-Identifier: MIT */
/* urls.h - makes the URLs that a register call is answered: where viewers find a name, and where
 * its client attaches. protocol.md#register */
#ifndef SRC_TUNNELS_URLS_H
#define SRC_TUNNELS_URLS_H

#include "src/names/call.h"
#include "src/worker/config.h"

enum { URLS_MAX = 512, URLS_HTTP_PORT = 80, URLS_HTTPS_PORT = 443 };

/* Returns the base of the URLs of names, as the client of the call @c should tell it to viewers. */
struct base_url urls_public(const struct config *config, const struct call *c);

/* Returns the base of the URL to attach at, which is https. */
struct base_url urls_attach(const struct config *config, const struct call *c);

/* Writes the URL of @path at @b into @out, under the label @label; an empty one is none. */
void urls_print(char out[static URLS_MAX], const struct base_url *b, const char *label,
                const char *path);

#endif
