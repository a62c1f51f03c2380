/* SPDX-License-Identifier: MIT */
/* failure.c - see failure.h. */
#include "client/origin/failure.h"

#include "h2mux/h2/h2.h"
#include "h2mux/http/grpc.h"

const struct failure failure_silent = {504, "http_response_timeout"};
const struct failure failure_protocol = {502, "http_protocol_error"};
const struct failure failure_head_size = {502, "http_response_header_section_size"};
const struct failure failure_upgrade = {502, "http_upgrade_failed"};
const struct failure failure_internal = {502, "proxy_internal_error"};
const struct failure failure_unsupported = {501, "http_request_error"};
const struct failure failure_no_websockets = {501, "http_upgrade_failed"};

static const struct failure refused = {502, "connection_refused"};
static const struct failure terminated = {502, "connection_terminated"};
static const struct failure coding = {502, "http_response_transfer_coding"};
static const struct failure incomplete = {502, "http_response_incomplete"};
static const struct failure unknown_host = {502, "dns_error"};
static const struct failure unroutable = {502, "destination_ip_unroutable"};
static const struct failure prohibited = {502, "destination_ip_prohibited"};
static const struct failure no_descriptor = {503, "connection_limit_reached"};
static const struct failure tls_failed = {502, "tls_alert_received"};
static const struct failure connect_timeout = {504, "connection_timeout"};
static const struct failure refused_stream = {503, "connection_limit_reached"};

static bool is_loss(int err)
{
    return err == ERR_EOF || err == ERR_RESET || err == ERR_TRUNCATED || err == ERR_IO ||
           err == ERR_GONE;
}

static const struct failure *failure_of_connect(int err)
{
    switch (err) {
    case ERR_DNS: /* the name has no address */
        return &unknown_host;
    case ERR_UNREACHABLE:
        return &unroutable;
    case ERR_DENIED:
        return &prohibited;
    default:
        return &refused;
    }
}

const struct failure *failure_of_dial(enum dial_step step, int err)
{
    if (err == ERR_TIMEOUT)
        return &connect_timeout;
    if (err == ERR_SHORT)
        return &no_descriptor;
    switch (step) {
    case DIAL_DNS:
        return &unknown_host;
    case DIAL_PROXY: /* cannot be: nothing of the origin's goes by a proxy */
    case DIAL_TCP:
        return failure_of_connect(err);
    case DIAL_TLS:
        return is_loss(err) ? &terminated : &tls_failed;
    }
    return &failure_internal;
}

const struct failure *failure_of_response(int err, bool began)
{
    if (err == ERR_LIMIT)
        return &failure_head_size;
    if (err == ERR_CODING)
        return &coding;
    if (is_loss(err) || err == ERR_TLS)
        return began ? &incomplete : &terminated;
    return &failure_protocol;
}

const struct failure *failure_of_stream(const struct leg_fault *why, bool began)
{
    if (why->h2_code == H2_REFUSED_STREAM)
        return &refused_stream;
    if (why->err == ERR_LINK_LOST)
        return began ? &incomplete : &terminated;
    return &failure_protocol;
}

void failure_head(const struct failure *f, bool grpc, struct message *m)
{
    message_init(m);
    m->status = f->status;
    if (grpc)
        grpc_fail(m, grpc_status_of(f->status), slice_str(f->type));
    fields_add_printf(&m->fields, SLICE("proxy-status"), "oneport; error=%s", f->type);
    fields_add(&m->fields, SLICE("oneport-error"), slice_str(f->type));
}
