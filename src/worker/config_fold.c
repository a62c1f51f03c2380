/* SPDX-License-Identifier: MIT */
/* config_fold.c - checks the values of options against each other; see config.h. */
#include "src/worker/config_int.h"

#include <stdlib.h>
#include <unistd.h>

#include "h2mux/http/field_name.h"
#include "src/limits/memory.h"

static bool refuse(const char *message)
{
    opt_say("oneportd", "%s", message);
    return false;
}

/* Drops @forgotten, a value of the environment or a file, where @stated, which beats it,
 * contradicts it. */
static bool outranks(enum opt_source stated, enum opt_source forgotten)
{
    return stated > forgotten && forgotten != OPT_FALLBACK;
}

static bool is_domain(const struct config *c, struct slice host)
{
    struct slice domain = slice_str(c->domain);
    if (slice_ends(host, SLICE(".")))
        host.len--;
    if (slice_ends(domain, SLICE(".")))
        domain.len--;
    return slice_ieq(host, domain);
}

/* Settles between --public-url, --domain and --secure, if one beats another that contradicts it.
 * The domain is then the host of the URL. */
static void settle_public_url(struct config *c)
{
    struct base_url url;
    if (!c->urls.public || base_url_parse(c->urls.public, &url) < 0)
        return;
    bool elsewhere = c->domain && !is_domain(c, url.host);
    if (elsewhere && outranks(c->from.public, c->from.domain)) {
        c->owned[3] = slice_dup(url.host);
        c->domain = c->owned[3];
    }
    if ((elsewhere && outranks(c->from.domain, c->from.public)) ||
        (!url.https && c->localtunnel.secure && outranks(c->from.secure, c->from.public)))
        c->urls.public = NULL;
}

static bool names_field(const struct opt_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (field_name_is(slice_str(name), slice_str(l->item[i])))
            return true;
    return false;
}

/* Takes the names of --forward-field off the list of --drop-field, if that is beaten. In the other
 * direction, what is dropped is not forwarded anyway. */
static void settle_fields(struct config *c)
{
    struct opt_list *drop = &c->fields.drop, kept = {.copy = drop->copy};
    if (!outranks(c->from.forward, c->from.drop))
        return;
    for (size_t i = 0; i < drop->count; i++)
        if (!names_field(&c->fields.forward, drop->item[i]))
            kept.item[kept.count++] = drop->item[i];
    *drop = kept;
}

/* Turns the domain into lower case and removes a dot at its end. */
static void fold_domain(struct config *c)
{
    c->owned[0] = xstrdup(c->domain);
    size_t len = strlen(c->owned[0]);
    if (c->owned[0][len - 1] == '.')
        c->owned[0][--len] = '\0';
    ascii_lower(c->owned[0], len);
    c->domain = c->owned[0];
}

/* Adds the listener that --port and --address name, in place of the default listener. Returns
 * false, with a message on stderr, when there are too many listeners. */
static bool fold_listen(struct config *c)
{
    struct opt_list *l = &c->listen.addresses;
    if (!c->localtunnel.port && !c->localtunnel.address)
        return true;
    if (l->count == 1 && l->item[0] == config_default_listen)
        l->count = 0;
    if (l->count == OPT_LIST_MAX)
        return refuse("--port: too many listeners");
    const char *address = c->localtunnel.address ? c->localtunnel.address : CONFIG_ADDRESS;
    c->owned[1] = xasprintf(strchr(address, ':') && address[0] != '[' ? "[%s]:%s" : "%s:%s",
                            address, c->localtunnel.port ? c->localtunnel.port : CONFIG_PORT);
    l->item[l->count++] = c->owned[1];
    return true;
}

char *config_default_state_dir(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    static int as_root = -1; /* a reload asks again, when root has become --user */
    if (as_root < 0)
        as_root = geteuid() == 0;
    if (as_root)
        return xstrdup("/var/lib/oneport");
    if (state && state[0] == '/') /* XDG: a relative path is ignored */
        return xasprintf("%s/oneportd", state);
    return home && home[0] == '/' ? xasprintf("%s/.local/state/oneportd", home) : NULL;
}

/* Sets the default of --state-dir. */
static bool fold_state_dir(struct config *c)
{
    if (c->names.state_dir)
        return true;
    c->names.state_dir = c->owned[2] = config_default_state_dir();
    return c->names.state_dir || refuse("--state-dir is required, as HOME is not set");
}

/* Returns whether the host of --public-url, if it is given, is the domain. Prints a message
 * otherwise. */
static bool check_public_host(const struct config *c)
{
    struct base_url url;
    if (!c->urls.public)
        return true;
    if (base_url_parse(c->urls.public, &url) < 0)
        return false; /* cannot be: check_public_url has accepted it */
    if (is_domain(c, url.host))
        return true;
    opt_say("oneportd", "--public-url: its host '%.*s' is not the --domain '%s'",
            SLICE_FMT(url.host), c->domain);
    return false;
}

/* Drops the field from what origins get: they may be behind a proxy of the same habits. */
static bool fold_client_id_field(struct config *c)
{
    if (!c->listen.client_id_field)
        return true;
    if (c->fields.drop.count == OPT_LIST_MAX)
        return refuse("--drop-field: too many fields");
    c->fields.drop.item[c->fields.drop.count++] = c->listen.client_id_field;
    return true;
}

bool config_fold(struct config *c)
{
    settle_public_url(c);
    settle_fields(c);
    if (!c->domain)
        return refuse("--domain is required (see --help)");
    if (c->listen.certs.count > c->listen.keys.count)
        return refuse("--cert needs --key");
    if (c->listen.keys.count > c->listen.certs.count)
        return refuse("--key needs --cert");
    if (c->admin.listen && strncmp(c->admin.listen, "unix:", 5) != 0 && !c->admin.token)
        return refuse("--admin at a port needs --admin-token");
    if (c->admin.token && !c->admin.listen)
        return refuse("--admin-token needs --admin");
    fold_domain(c);
    if (c->names.policies && !c->names.tokens)
        return refuse("--policies needs --tokens, which name them");
    if ((c->listen.client_ca || c->listen.client_id_field) && !c->names.tokens)
        return refuse("--client-ca and --client-id-field need --tokens");
    if (c->listen.client_ca && c->listen.certs.count == 0 && !c->listen.cert_dir)
        return refuse(
            "--client-ca needs --cert or --cert-dir; behind a proxy use --client-id-field");
    if (!fold_client_id_field(c))
        return false;
    if (c->limits.memory == 0)
        c->limits.memory = memory_default_budget();
    return check_public_host(c) && fold_listen(c) && fold_state_dir(c);
}
