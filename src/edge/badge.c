/* SPDX-License-Identifier: MIT */
/* badge.c - see badge.h. */
#include "src/edge/badge.h"

#include "h2mux/base/inet.h"

/* Takes what a trusted proxy says of a call that it has passed on. Several fields say nothing. */
static void of_proxy(struct call *c, const char *field)
{
    struct slice id = slice_trim(fields_value(&c->m->fields, slice_str(field)));
    if (!c->viewer->proxied || !c->secure || fields_count(&c->m->fields, slice_str(field)) != 1 ||
        !token_id_valid(id))
        return;
    memcpy(c->certificate, id.ptr, id.len);
    c->certificate[id.len] = '\0';
}

void badge_find(struct call *c, const struct worker *w, const struct viewer *v,
                const struct sock *sock)
{
    const struct config *config = w->server->config;
    enum builtin_kind kind = c->route.builtin.kind;
    call_set_viewer(c, v, sock_is_tls(sock), inet_is_of_this_machine(sock_peer(sock)));
    if (kind != BUILTIN_REGISTER && kind != BUILTIN_ATTACH)
        return;
    if (v->proxied && config->listen.client_id_field)
        of_proxy(c, config->listen.client_id_field);
    else if (!v->proxied && config->listen.client_ca &&
             sock_tls_client(sock, c->certificate, sizeof c->certificate) &&
             !token_id_valid(slice_str(c->certificate)))
        c->certificate[0] = '\0';
}
