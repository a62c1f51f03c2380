/* register.h - the register call: a name, a URL and a ticket as JSON. contract.md 2. */
#ifndef SRC_REGISTER_H
#define SRC_REGISTER_H

#include "src/answer.h"
#include "src/worker.h"

/* One call of the base domain. */
struct call {
    const struct message *m;     /* borrowed: the request, fields as they came */
    const struct viewer *viewer; /* borrowed */
    bool tls;                    /* our own TLS */
    bool secure;                 /* contract.md 2 "Secure calls" */
};
/* Filled by the caller's facts: TLS, loopback or unix peer that is no proxied request, or a trusted proxy that says https. */
bool call_is_secure(const struct viewer *v, bool tls, bool peer_local);

/* @name: as it stood in the path (empty: random), @old: one of localtunnel's two ways. Always makes an answer. */
void register_answer(struct worker *w, const struct call *c, struct slice name, bool old, struct answer *a);

#endif
