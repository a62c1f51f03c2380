/* SPDX-License-Identifier: MIT */
/* tunnel.c - see tunnel.h.
 *
 * Each slot lives its own life (slot.h) on the one name, and waits here while the name is being
 * registered. The first slot goes first; the others begin when a link is up, and the tunnel is up
 * as long as one is. Until a URL was told, what cannot get better ends the program.
 *
 * Invariants: `call` is set iff REGISTERING; the retry timer is armed iff PAUSING; the ticket is
 * renewed only while HOLDING with a link up. */

/* draw: the tunnel
 *
 *   START ──a slot wants to attach, no ticket──▶ REGISTERING ──granted──▶ HOLDING
 *                                                │  ▲   ▲                  │
 *                                         failed ▼  │   └─401, 404, bad────┘
 *                                              PAUSING    ticket: a slot wants again
 *
 *   any ──client_tunnel_leave──▶ LEAVING ──▶ OVER
 *   any ──taken over──▶ LEAVING ──streams done──▶ OVER */
#include "client/server/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/server/complaint.h"
#include "client/server/holding.h"
#include "client/server/slots.h"
#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "h2mux/http/bytes.h"

enum { INSTANCE_BYTES = 16 };

enum tunnel_state {
    TUNNEL_START,
    TUNNEL_REGISTERING,
    TUNNEL_PAUSING,
    TUNNEL_HOLDING,
    TUNNEL_LEAVING,
    TUNNEL_OVER
};

struct tunnel {
    struct tunnel_options o;
    enum tunnel_state state;
    enum exit_code code; /* of LEAVING */
    char instance[2 * INSTANCE_BYTES + 1];
    struct holding holding;
    struct register_call *call; /* weak: it ends with its answer */
    struct slots slots;
    unsigned links_said;      /* the server's limit, as it was logged */
    struct retry retry;       /* registering is tried again */
    struct patience patience; /* until it is given up */
    bool url_told;            /* viewers may know the URL: every failure is tried again */
    struct timer leave;
};

static const struct register_ops register_ops;
static const struct slot_ops slot_ops;

static bool is_up(const struct tunnel *t)
{
    return slots_are_up(&t->slots);
}

static void tunnel_check(const struct tunnel *t)
{
    const struct holding *h = &t->holding;
    CHECK_THAT(!!t->call == (t->state == TUNNEL_REGISTERING));
    CHECK_THAT(timer_armed(&t->retry.timer) == (t->state == TUNNEL_PAUSING));
    CHECK_THAT(!(h->renewal || timer_armed(&h->renew)) || (t->state == TUNNEL_HOLDING && is_up(t)));
    CHECK_THAT(!timer_armed(&t->leave) || t->state == TUNNEL_LEAVING);
    CHECK_THAT(t->state != TUNNEL_OVER || !is_up(t));
}

static void enter(struct tunnel *t, enum tunnel_state state)
{
    t->state = state;
    if (CHECKING)
        tunnel_check(t);
}

/* ---- the end */

static void stop_working(struct tunnel *t)
{
    retry_stop(&t->retry);
    timer_stop(&t->leave);
    register_cancel(t->call);
    t->call = NULL;
    holding_stop_renewing(&t->holding);
}

static void finish(struct tunnel *t, enum exit_code code)
{
    if (t->state == TUNNEL_OVER)
        return;
    stop_working(t);
    slots_close(&t->slots);
    enter(t, TUNNEL_OVER);
    t->o.on_exit(t->o.user, code);
}

static void begin_leaving(struct tunnel *t, enum exit_code code)
{
    t->code = code;
    stop_working(t);
    enter(t, TUNNEL_LEAVING);
    slots_leave(&t->slots);
}

/* ---- trying, and trying again */

/* Registers. While viewers are served, another name than the one that they know would be worse than
 * none, so that one is asked for exactly. */
static void do_register(struct tunnel *t)
{
    struct register_ask ask = holding_ask(&t->holding);
    ask.exact = ask.exact || is_up(t);
    ask.attaches = true;
    holding_stop_renewing(&t->holding);
    t->call = register_start(t->o.env, t->o.server, &ask, &register_ops, t);
    enter(t, TUNNEL_REGISTERING);
}

static void run_register(void *user)
{
    do_register(user);
}

/* Returns whether the server allows the slot a link: it says how many a name may have. The first
 * slot always has a place. */
static bool has_place(const struct tunnel *t, const struct slot *s)
{
    return s->o.slot == 0 || s->o.slot < t->holding.grant.links;
}

/* Lets a slot attach with the ticket at hand. Without one, or when the server did not accept it,
 * the name is registered first. */
static void admit(struct tunnel *t, struct slot *s)
{
    if (!has_place(t, s)) {
        slot_rest(s);
    } else if (holding_can_attach(&t->holding)) {
        s->ticket_no = t->holding.ticket_no;
        slot_attach(s, &t->holding.grant.attach, t->holding.grant.attach_public, t->holding.ticket);
    } else if (t->state == TUNNEL_START || t->state == TUNNEL_HOLDING) {
        do_register(t);
    } /* else registering runs, and goes on with the slot when it is done */
}

/* Returns whether a try counts against --max-retries: while no link is up, each try to register and
 * each of the first slot does. The other slots have theirs at the same time. */
static bool counts(const struct tunnel *t, const struct slot *s)
{
    return !is_up(t) && (!s || s->o.slot == 0);
}

static void give_up(struct tunnel *t, const char *step, const char *reason, const char *advice)
{
    LOG(ERROR, "giving_up", LOG_STR("server", t->holding.server), LOG_STR("step", step),
        LOG_STR("reason", reason), LOG_U("retries", t->patience.retries),
        LOG_STR("advice", advice));
    finish(t, EXIT_RETRIES);
}

static bool is_over(const struct tunnel *t, const struct slot *s)
{
    return patience_is_over(&t->patience, !t->url_told, counts(t, s), loop_now_us(t->o.env->loop));
}

/* Tries again later, or gives up. @s: the slot whose try has failed; NULL: it was one to register.
 * @advice: empty if there is none. */
static void pause_and_retry(struct tunnel *t, struct slot *s, uint64_t at_least_ms,
                            const char *step, const char *reason, const char *advice)
{
    if (is_over(t, s)) {
        give_up(t, step, reason, advice);
        return;
    }
    t->patience.retries += counts(t, s);
    uint64_t ms = s ? slot_pause(s, at_least_ms) : retry_later(&t->retry, at_least_ms);
    if (!s)
        enter(t, TUNNEL_PAUSING);
    complaint_before_retry(is_up(t) ? "link_missing" : "not_connected", t->holding.server,
                           s ? s->o.slot : 0, step, reason, ms, advice);
}

/* Handles a failure of the network, a proxy or TLS. */
static void handle_failure(struct tunnel *t, struct slot *s, const char *step, int err,
                           const char *reason)
{
    const char *advice = complaint_advice(step, err, reason);
    enum outlook outlook = t->url_told ? OUTLOOK_OPEN : complaint_outlook(step, err, reason);
    if (outlook == OUTLOOK_NONE) {
        complaint_of_failure(t->holding.server, step, err, reason);
        finish(t, err == ERR_CERT ? EXIT_CERTIFICATE : EXIT_REFUSED);
        return;
    }
    patience_note(&t->patience, outlook == OUTLOOK_POOR);
    pause_and_retry(t, s, 0, step, reason, advice ? advice : "");
}

static bool is_passing(const struct refusal *r)
{
    return r->status >= 500 || r->status == 408 || r->status == 425 || r->status == 429;
}

static void handle_refusal(struct tunnel *t, struct slot *s, const char *step,
                           const struct refusal *r)
{
    char reason[128];
    if (refusal_is_final(r) || (!is_passing(r) && !t->url_told)) {
        complaint_of_refusal(t->holding.server, t->o.name, step, r);
        finish(t, EXIT_REFUSED);
        return;
    }
    snprintf(reason, sizeof reason, "%d %s", r->status, r->error);
    patience_note(&t->patience, false);
    pause_and_retry(t, s, r->retry_after_ms, step, reason,
                    r->message[0] ? r->message : complaint_advice_on_refusal(r));
}

/* ---- registering */

static void log_limit(struct tunnel *t)
{
    unsigned links = t->holding.grant.links;
    if (links >= t->o.links || links == t->links_said)
        return;
    t->links_said = links;
    LOG(WARN, "fewer_links_allowed", LOG_STR("server", t->holding.server), LOG_U("links", links),
        LOG_U("asked", t->o.links));
}

/* Starts the slots that wait for the name and, when a link is up, those that had no place or have
 * not begun. */
static void start_slots(struct tunnel *t)
{
    FOREACH_SLOT (s, &t->slots) {
        if (s->state == SLOT_WANTING)
            admit(t, s);
        else if (is_up(t))
            slot_want(s);
    }
}

static void on_granted(void *user, const struct grant *g)
{
    struct tunnel *t = user;
    t->call = NULL;
    enter(t, TUNNEL_HOLDING);
    retry_worked(&t->retry);
    holding_take(&t->holding, g);
    LOG(INFO, "name_granted", LOG_STR("name", g->id), LOG_STR("server", t->holding.server));
    log_limit(t);
    if (is_up(t))
        holding_renew_in_time(&t->holding);
    start_slots(t);
}

static void on_register_refused(void *user, const struct refusal *r)
{
    struct tunnel *t = user;
    t->call = NULL;
    if (t->holding.ticket && r->status == 403 && strcmp(r->error, "bad_ticket") == 0) {
        holding_drop_ticket(&t->holding);
        do_register(t);
        return;
    }
    handle_refusal(t, NULL, "register", r);
}

static void on_register_failed(void *user, const char *step, int err, const char *reason)
{
    struct tunnel *t = user;
    t->call = NULL;
    handle_failure(t, NULL, step, err, reason);
}

static const struct register_ops register_ops = {
    .on_granted = on_granted,
    .on_refused = on_register_refused,
    .on_failed = on_register_failed,
};

/* ---- slots */

static void on_slot_wants(void *user, struct slot *s)
{
    admit(user, s);
}

static void tell_url(struct tunnel *t)
{
    t->url_told = true;
    t->o.on_url(t->o.user, t->holding.grant.url);
}

/* Rule O82: a viewer who is here before our SETTINGS waits, if the server lets anybody wait. */
static void on_slot_let_in(void *user, struct slot *s)
{
    struct tunnel *t = user;
    if (t->holding.grant.holds)
        tell_url(t);
}

static void on_slot_up(void *user, struct slot *s)
{
    struct tunnel *t = user;
    t->patience.retries = 0;
    LOG(INFO, "link_up", LOG_STR("name", t->holding.grant.id),
        LOG_STR("attach", t->holding.grant.attach.authority), LOG_U("slot", s->o.slot));
    tell_url(t);
    if (t->state == TUNNEL_HOLDING)
        holding_renew_in_time(&t->holding);
    start_slots(t);
}

/* Decides what a refusal says about the ticket. After 401 and 404 (the server has forgotten the
 * name, or the ticket has expired), and for a slot that is unknown there, registering tells. */
static void learn_from_refusal(struct tunnel *t, const struct slot *s, const struct refusal *r)
{
    if (s->ticket_no != t->holding.ticket_no)
        return; /* it is about an older ticket */
    if (r->status == 401 || r->status == 404 || strcmp(r->error, "bad_link") == 0)
        holding_forget_grant(&t->holding);
    if (r->status == 403 && strcmp(r->error, "bad_ticket") == 0)
        holding_drop_ticket(&t->holding);
}

static void on_slot_refused(void *user, struct slot *s, const struct refusal *r)
{
    struct tunnel *t = user;
    learn_from_refusal(t, s, r);
    if (r->status == 404 || r->status == 401) /* registering tells */
        pause_and_retry(t, s, r->retry_after_ms, "attach", r->status == 404 ? "404" : "401", "");
    else
        handle_refusal(t, s, "attach", r);
}

static void stop_renewing_if_down(struct tunnel *t)
{
    if (!is_up(t))
        holding_stop_renewing(&t->holding);
}

static void on_slot_lost(void *user, struct slot *s, const char *step, int err, const char *reason)
{
    struct tunnel *t = user;
    stop_renewing_if_down(t);
    handle_failure(t, s, step, err, reason);
}

static void say_taken_over(struct tunnel *t, enum link_farewell why)
{
    LOG(ERROR, "name_lost", LOG_STR("name", t->holding.grant.id),
        LOG_STR("reason", why == LINK_TAKEN_OVER
                              ? "another client took it over with the same ticket"
                              : "another owner holds it, or its token is over"));
}

static void end_if_idle(struct tunnel *t)
{
    if (t->state == TUNNEL_LEAVING && slots_are_idle(&t->slots))
        finish(t, t->code);
}

static void on_slot_goaway(void *user, struct slot *s, enum link_farewell why, bool brief)
{
    struct tunnel *t = user;
    stop_renewing_if_down(t);
    if (why == LINK_DRAINING) {
        if (brief)
            pause_and_retry(t, s, 0, "link", "draining", "");
        else
            slot_want(s);
        return;
    }
    say_taken_over(t, why);
    begin_leaving(t, EXIT_REFUSED);
    end_if_idle(t);
}

static void on_slot_quiet(void *user)
{
    end_if_idle(user);
}

static const struct slot_ops slot_ops = {
    .on_want = on_slot_wants,
    .on_let_in = on_slot_let_in,
    .on_up = on_slot_up,
    .on_refused = on_slot_refused,
    .on_lost = on_slot_lost,
    .on_goaway = on_slot_goaway,
    .on_quiet = on_slot_quiet,
};

/* ---- for main */

static void run_leave(void *user)
{
    struct tunnel *t = user;
    finish(t, t->code);
}

static int make_instance(char to[static 2 * INSTANCE_BYTES + 1])
{
    unsigned char bytes[INSTANCE_BYTES];
    if (getentropy(bytes, sizeof bytes) < 0)
        return ERR_IO;
    bytes_to_hex(bytes, sizeof bytes, to);
    return 0;
}

static void make_slots(struct tunnel *t)
{
    struct link_options o = {
        .env = t->o.env,
        .exchanges = t->o.exchanges,
        .instance = t->instance,
        .h2 = t->o.h2,
    };
    slots_init(&t->slots, t->o.links, &o, &slot_ops, t);
}

struct tunnel *client_tunnel_new(const struct tunnel_options *o)
{
    struct tunnel *t = xcalloc(1, sizeof *t);
    if (make_instance(t->instance) < 0) {
        free(t);
        return NULL;
    }
    t->o = *o;
    t->patience = o->patience;
    struct holding_options holding = {
        .env = o->env,
        .server = o->server,
        .name = o->name,
        .origin = o->origin,
        .ticket_file = o->ticket_file,
    };
    holding_init(&t->holding, &holding);
    retry_init(&t->retry, o->env->loop, run_register, t);
    timer_init(&t->leave, o->env->loop, run_leave, t);
    make_slots(t);
    return t;
}

void client_tunnel_free(struct tunnel *t)
{
    if (!t)
        return;
    stop_working(t);
    slots_deinit(&t->slots);
    holding_deinit(&t->holding);
    free(t);
}

void client_tunnel_start(struct tunnel *t)
{
    t->patience.began_us = loop_now_us(t->o.env->loop);
    slot_want(t->slots.first);
}

uint16_t client_tunnel_attach_port(const struct tunnel *t)
{
    return t->holding.grant.attach.port;
}

void client_tunnel_leave(struct tunnel *t)
{
    if (t->state == TUNNEL_OVER)
        return;
    begin_leaving(t, EXIT_STOPPED);
    timer_arm(&t->leave, t->o.leave_ms);
    if (exchange_list_ordinary(t->o.exchanges) == 0)
        finish(t, EXIT_STOPPED);
}

void client_tunnel_quiet(struct tunnel *t)
{
    if (t->state == TUNNEL_LEAVING && t->code == EXIT_STOPPED)
        finish(t, EXIT_STOPPED);
}

void client_tunnel_wake(struct tunnel *t)
{
    slots_wake(&t->slots);
}

struct tunnel_look client_tunnel_look(const struct tunnel *t)
{
    return (struct tunnel_look){.told = t->url_told,
                                .leaving = t->state >= TUNNEL_LEAVING,
                                .slots = slots_look(&t->slots),
                                .retry_ms = timer_left_ms(&t->retry.timer)};
}
