/* SPDX-License-Identifier: MIT */
/* register.h - the register call: a name, a URL and a ticket as JSON. protocol.md#register */
#ifndef SRC_TUNNELS_REGISTER_H
#define SRC_TUNNELS_REGISTER_H

#include "src/http/answer.h"
#include "src/http/route.h"
#include "src/worker/worker.h"

/* One call of the base domain. */
struct call {
    const struct message *m;     /* borrowed: the request, fields as they came */
    const struct viewer *viewer; /* borrowed */
    bool tls;                    /* our own TLS */
    bool secure;                 /* protocol.md#secure-calls */
};
/* Filled by the caller's facts: TLS, loopback or unix peer that is no proxied request, or a trusted
 * proxy that says https. */
bool call_is_secure(const struct viewer *v, bool tls, bool peer_local);

/* The name that a call without one resumes by its ticket alone: whose worker should have the call.
 */
bool register_resumes(const struct server *s, const struct message *m,
                      char name[static NAME_MAX_LEN + 1]);

/* What register and attach refuse in the same words. @forged: the ticket counts against its address
 * (quota.h), which is told 429 when it has come with too many. */
void refuse_ticket(struct answer *a, struct worker *w, const struct viewer *v, bool forged,
                   const char *message);
/* ERR_ABUSE of registry_claim. */
void refuse_another_name(struct answer *a, struct worker *w, const struct viewer *v);

/* @name: as it stood in the path (empty: random), @old: one of localtunnel's two ways. Always makes
 * an answer. */
void register_answer(struct worker *w, const struct call *c, struct slice name, bool old,
                     struct answer *a);

#endif
