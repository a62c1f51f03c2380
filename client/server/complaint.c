/* SPDX-License-Identifier: MIT */
/* complaint.c - see complaint.h. A row of a table is a cause: the first that fits gives the advice.
 */
#include "client/server/complaint.h"

#include "h2mux/base/log.h"

struct cause {
    const char *step; /* NULL: any */
    const char *part; /* of the reason; NULL: any */
    int err;          /* 0: any */
    enum outlook outlook;
    const char *advice;
};

#define NO_TLS                                                                                     \
    "this port does not speak TLS: --host wants the port for https, usually 443; a server "        \
    "without "                                                                                     \
    "a certificate is reached through the https of the proxy before it"
#define CLOCK "the server's operator has to renew it, unless the clock of this machine is wrong"
#define AUTHORITY                                                                                  \
    "who has signed it is not known here: name the authority with --ca FILE (that of your "        \
    "organisation, or of a proxy that inspects TLS)"

static const struct cause causes[] = {
    {"proxy", NULL, ERR_DENIED, OUTLOOK_NONE, NULL},
    {"proxy", NULL, ERR_UNSUPPORTED, OUTLOOK_NONE,
     "check the URL of the proxy: --proxy, or "
     "HTTPS_PROXY in the environment"},
    {"proxy", NULL, ERR_PROTOCOL, OUTLOOK_NONE,
     "check the URL of the proxy: --proxy, or "
     "HTTPS_PROXY in the environment"},
    {"proxy", NULL, ERR_DNS, OUTLOOK_POOR,
     "check the host of the proxy: --proxy, or HTTPS_PROXY in "
     "the environment"},
    {"proxy", "cannot reach", 0, OUTLOOK_OPEN,
     "check the host of --host, which the proxy looks up"},
    {"proxy", "does not connect to", 0, OUTLOOK_OPEN,
     "check the host of --host, which the proxy looks up"},
    {"proxy", NULL, 0, OUTLOOK_OPEN,
     "check the URL of the proxy: --proxy, or HTTPS_PROXY in the "
     "environment; --proxy none goes by none"},
    {"DNS", "Temporary", ERR_DNS, OUTLOOK_OPEN,
     "no name server answers: is this machine online? In "
     "an office a proxy may lead out: --proxy"},
    {"DNS", NULL, ERR_DNS, OUTLOOK_POOR,
     "there is no host of this name: check the spelling of "
     "--host"},
    {"TCP", NULL, ERR_REFUSED, OUTLOOK_OPEN,
     "the machine is there, and nobody listens on this port: "
     "check the port of --host, and whether the server runs"},
    {"TCP", NULL, ERR_UNREACHABLE, OUTLOOK_OPEN, "is this machine online?"},
    {"TCP", NULL, ERR_TIMEOUT, OUTLOOK_OPEN,
     "a firewall may be in between: in an office a proxy may "
     "lead out (--proxy)"},
    {NULL, "ame mismatch", ERR_CERT, OUTLOOK_NONE,
     "the certificate is for another host: check the "
     "spelling of --host"},
    {NULL, "IP address mismatch", ERR_CERT, OUTLOOK_NONE,
     "the certificate is not for this address: "
     "give the server's name in --host"},
    {NULL, "expired", ERR_CERT, OUTLOOK_NONE, CLOCK},
    {NULL, "not yet valid", ERR_CERT, OUTLOOK_NONE, CLOCK},
    {NULL, NULL, ERR_CERT, OUTLOOK_NONE, AUTHORITY},
    {"TLS", NULL, ERR_TLS, OUTLOOK_POOR, NO_TLS},
    {"TLS", NULL, 0, OUTLOOK_OPEN,
     "something is there that does not begin TLS: check the port of --host; a firewall may cut "
     "what "
     "it does not know"},
    {"register", NULL, ERR_SYNTAX, OUTLOOK_POOR, "this is no oneportd: check --host"},
    {"register", NULL, ERR_PROTOCOL, OUTLOOK_POOR, "this is no oneportd: check --host"},
    {"register", NULL, ERR_VERSION, OUTLOOK_POOR, "this is no oneportd: check --host"},
    {"register", NULL, ERR_LIMIT, OUTLOOK_POOR, "this is no oneportd: check --host"},
    {"register", NULL, 0, OUTLOOK_OPEN,
     "something is there that does not answer: check --host, and whether the server works"},
};

static const struct cause *cause_of(const char *step, int err, const char *reason)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        const struct cause *c = &causes[i];
        if ((!c->step || strcmp(c->step, step) == 0) && (c->err == 0 || c->err == err) &&
            (!c->part || strstr(reason, c->part)))
            return c;
    }
    return NULL;
}

enum outlook complaint_outlook(const char *step, int err, const char *reason)
{
    const struct cause *c = cause_of(step, err, reason);
    return c ? c->outlook : OUTLOOK_OPEN;
}

const char *complaint_advice(const char *step, int err, const char *reason)
{
    const struct cause *c = cause_of(step, err, reason);
    return c ? c->advice : NULL;
}

/* Logs without the last pair, the advice, if that is empty. */
#define LOG_ADVISED(level, event, advice, ...)                                                     \
    do {                                                                                           \
        if (*(advice))                                                                             \
            LOG(level, event, __VA_ARGS__, LOG_STR("advice", advice));                             \
        else                                                                                       \
            LOG(level, event, __VA_ARGS__);                                                        \
    } while (0)

void complaint_before_retry(const char *event, const char *server, unsigned slot, const char *step,
                            const char *reason, uint64_t ms, const char *advice)
{
    LOG_ADVISED(WARN, event, advice, LOG_STR("server", server), LOG_U("slot", slot),
                LOG_STR("step", step), LOG_STR("reason", reason), LOG_U("in_ms", ms));
}

void complaint_of_failure(const char *server, const char *step, int err, const char *reason)
{
    const char *advice = complaint_advice(step, err, reason);
    if (!advice)
        advice = "";
    LOG_ADVISED(ERROR, err == ERR_CERT ? "server_certificate_refused" : "proxy_refuses", advice,
                LOG_STR("step", step), LOG_STR("server", server), LOG_STR("reason", reason));
}

const char *complaint_advice_on_refusal(const struct refusal *r)
{
    if (strcmp(r->error, "name_taken") == 0)
        return "ask for another name with --subdomain, or for any by leaving it out";
    if (strcmp(r->error, "bad_answer") == 0)
        return "check --host: this is no oneportd, or not its https address";
    if (r->error[0] == '\0' && r->status == 404)
        return "check --host: a web server answers there, and no oneportd";
    if (r->error[0] == '\0' && r->status >= 500)
        return "check whether oneportd runs: only a web server in front of it answers";
    if (r->error[0] == '\0')
        return "check --host: something that is no oneportd answers there, maybe in front of one";
    return "";
}

void complaint_of_refusal(const char *server, const char *name, const char *step,
                          const struct refusal *r)
{
    if (refusal_is_redirect(r))
        LOG(ERROR, "server_redirects", LOG_STR("server", server), LOG_STR("step", step),
            LOG_I("status", r->status), LOG_STR("location", r->location),
            LOG_STR("advice", "no redirect is followed: give the address behind it with --host"));
    else
        LOG_ADVISED(ERROR, "server_refuses", complaint_advice_on_refusal(r),
                    LOG_STR("name", name ? name : "-"), LOG_STR("server", server),
                    LOG_STR("step", step), LOG_I("status", r->status), LOG_STR("error", r->error),
                    LOG_STR("message", r->message));
}
