/* SPDX-License-Identifier: MIT */
/* edge_answer.c - what a viewer is told by the server itself: errors and built-ins, in the words of
 * answer.c; how the connection goes on behind any answer. */
#include "src/edge/edge_int.h"

void edge_prepare_reply(struct edge *e, bool close, bool trailers, bool upgrade)
{
    struct h1_conn_reply r = {
        .to_head = e->to_head,
        .peer_1_0 = e->asked.minor_version == 0,
        .close = close,
        .trailers = trailers,
        .upgrade = upgrade,
    };
    h1_conn_set_reply(e->conn, &r);
}

/* For the final head; interim ones go by what remember() prepared. */
void edge_set_reply(struct edge *e, bool close, bool trailers, bool upgrade)
{
    edge_prepare_reply(e, close, trailers, upgrade);
    e->responding = true;
    e->close_after = close;
}

bool edge_must_close(const struct edge *e)
{
    return !e->keep_alive || edge_server(e)->draining;
}

void edge_log_answer(struct edge *e, int status, const char *error, size_t bytes)
{
    struct access_entry entry = {
        .viewer = e->viewer.address,
        .request = e->asked,
        .tunnel = "-",
        .status = status,
        .tx_bytes = bytes,
        .duration_us = loop_now_us(e->worker->loop) - e->head_us,
        .error = error,
    };
    bool json = slice_eq(slice_str(edge_server(e)->config->log_format), SLICE("json"));
    if (edge_server(e)->access_log)
        access_write(edge_server(e)->access_log, json, &entry);
}

/* Writes @a and releases it. A request that is not read to its end costs the connection (rules Q38,
 * R18). */
void edge_send_answer(struct edge *e, struct answer *a, bool close)
{
    struct leg *leg = h1_conn_leg(e->conn);
    close |= edge_must_close(e) || !h1_conn_rx_done(e->conn);
    edge_set_reply(e, close, false,
                   a->head.status == 426); /* RFC 9110 7.8: Upgrade is listed in Connection */
    leg->ops->head(leg, &a->head, buf_len(&a->body) == 0);
    if (buf_len(&a->body) > 0)
        leg->ops->body(leg, buf_slice(&a->body), true);
    answer_deinit(a);
    if (close)
        edge_finish(e, EDGE_LINGER_MS, EDGE_LINGER_BYTES);
}

/* For requests that never became an exchange, which logs by itself. */
void edge_refuse(struct edge *e, enum failure why, struct slice name, bool close)
{
    struct answer a;
    answer_failure(&a, why, e->accept, name);
    edge_log_answer(e, failure_status(why), failure_type(why), buf_len(&a.body));
    edge_send_answer(e, &a, close);
}

void edge_bad_request(struct edge *e, enum failure why, const char *reason)
{
    stat_add(&e->worker->stats.bad_requests, 1);
    uint64_t suppressed;
    if (log_limit_pass(&e->worker->bad_request_log, loop_now_us(e->worker->loop), &suppressed))
        LOG(INFO, "bad_request", LOG_STR("reason", reason), LOG_I("status", failure_status(why)),
            LOG_STR("viewer", e->viewer.address), LOG_U("suppressed", suppressed));
    edge_refuse(e, why, SLICE(""), true);
}
