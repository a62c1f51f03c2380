/* SPDX-License-Identifier: MIT */
/* edge_builtin.c - requests of the base domain: register, attach, status, the landing page. */
#include "src/edge/edge_int.h"

#include "src/edge/admin.h"
#include "src/tunnels/attach.h"
#include "src/tunnels/link.h"

/* ---- built-ins of the base domain */

static bool peer_is_local(const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
    if (peer->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    if (peer->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return peer->ss_family == AF_UNIX;
}

static struct call call_of(const struct edge *e, const struct message *m)
{
    struct sock *sock = h1_conn_sock(e->conn);
    bool tls = sock_is_tls(sock);
    return (struct call){
        .m = m,
        .viewer = &e->viewer,
        .tls = tls,
        .secure = call_is_secure(&e->viewer, tls, peer_is_local(sock_peer(sock))),
    };
}

/* The connection goes on as a link: what follows the 101 is HTTP/2. */
static void become_link(struct edge *e, const struct attach *at)
{
    struct message m;
    struct leg *leg = h1_conn_leg(e->conn);
    struct ticket ticket = at->ticket;
    char instance[INSTANCE_LEN + 1] = "";
    struct place place = at->place;
    memcpy(instance, place.instance.ptr,
           place.instance.len); /* attach_accept: empty or INSTANCE_LEN */
    place.instance = slice_str(instance);
    attach_response(&m);
    edge_set_reply(e, false, false, true);
    leg->ops->head(leg, &m, false);
    message_deinit(&m);
    edge_log_answer(e, 101, NULL, 0);
    struct sock *sock = h1_conn_release(e->conn);
    struct link *l = link_new(e->worker, sock, &ticket, &place);
    LOG(DEBUG, "attach accepted", "name=%s slot=%u", l->name, l->backend.slot);
    edge_forget(e);
}

static void attach(struct edge *e, const struct call *c, struct slice name)
{
    struct attach at;
    struct answer refusal;
    if (attach_accept(e->worker, c, name, h1_conn_head_bytes(e->conn), &at, &refusal)) {
        become_link(e, &at);
        return;
    }
    LOG(INFO, "attach refused", "name=%s status=%d viewer=%s", log_value(name), refusal.head.status,
        e->viewer.address);
    edge_log_answer(e, refusal.head.status, "attach_refused", buf_len(&refusal.body));
    edge_send_answer(e, &refusal, true);
}

/* false: it was answered already, and @a is not made. */
static bool make_answer(struct edge *e, const struct message *m, const struct builtin *b,
                        struct answer *a)
{
    struct worker *w = e->worker;
    struct call c = call_of(e, m);
    switch (b->kind) {
    case BUILTIN_ATTACH:
        attach(e, &c, b->name);
        return false;
    case BUILTIN_NONE:
        edge_refuse(e, FAIL_NOT_FOUND, SLICE(""), false);
        return false;
    case BUILTIN_METHOD:
        edge_refuse(e, FAIL_METHOD, SLICE(""), false);
        return false;
    case BUILTIN_LANDING:
        admin_landing(w, a);
        break;
    case BUILTIN_REGISTER:
    case BUILTIN_REGISTER_OLD:
        register_answer(w, &c, b->name, b->kind == BUILTIN_REGISTER_OLD, a);
        break;
    case BUILTIN_STATUS:
        admin_status(w, a);
        break;
    case BUILTIN_TUNNEL_STATUS:
        admin_tunnel_status(w, b->name, a);
        break;
    case BUILTIN_HEALTH:
        admin_health(w, a);
        break;
    }
    return true;
}

void edge_builtin(struct edge *e, const struct message *m)
{
    struct builtin b = router_builtin(m->method, m->path);
    struct answer a;
    if (!make_answer(e, m, &b, &a))
        return;
    edge_log_answer(e, a.head.status, NULL, buf_len(&a.body));
    edge_send_answer(e, &a, false);
}
