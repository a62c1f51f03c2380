/* SPDX-License-Identifier: MIT */
/* cage.h - shuts oneport into a sandbox that leaves it what it needs once its URLs work.
 * http-rules.md, rule O128 */
#ifndef CLIENT_CAGE_H
#define CLIENT_CAGE_H

#include "client/config.h"
#include "h2mux/io/resolver.h"
#include "h2mux/io/sandbox.h"

/* Does what --sandbox asks for before a connection is made (sandbox_harden), and begins a sandbox
 * that allows the ports of servers, origins and DNS. Returns it, which the caller frees after the
 * resolver; or NULL with a sentence in @reason when --sandbox is `on` and the kernel lacks a part.
 */
struct sandbox *cage_new(const struct config_set *set,
                         char reason[static SANDBOX_REASON_MAX]) MUSTCHECK;

/* Allows the folders of the ticket files and of --url-file, and what getaddrinfo and TLS read, and
 * enters, with the thread of the resolver. Returns 0, or ERR_DENIED with a sentence in @reason. */
int cage_enter(struct sandbox *s, const struct config_set *set, struct resolver *r,
               char reason[static SANDBOX_REASON_MAX]) MUSTCHECK;

#endif
