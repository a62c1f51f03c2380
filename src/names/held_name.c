/* SPDX-License-Identifier: MIT */
/* held_name.c - prints and reads one line of the names file; see held_name.h. */
#include "src/names/held_name.h"

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "src/names/label.h"

static const char called[] = "called=", served[] = "served=", policy[] = "policy=";

int held_name_print(struct buf *to, const struct held_name *h)
{
    char owner[OWNER_TEXT_MAX], from[TRUST_ADDRESS_MAX] = "";
    const char *mark = "";
    CHECK_THAT(label_valid(slice_str(h->name))); /* or the line could not be read again */
    CHECK_THAT(h->until >= 0);
    owner_text(h->owner, owner);
    struct slice domain = h->domain.len > 0 ? h->domain : SLICE("-");
    if (h->old.state != OLD_NONE) {
        mark = h->old.state == OLD_SERVED ? served : called;
        address_text(&h->old.from, from);
    }
    int err =
        buf_printf(to, "%s %s %lld %d %lld %s %.*s%s%s%s", h->name, owner, (long long)h->until,
                   h->asked, (long long)h->rev, h->token[0] ? h->token : "-", SLICE_FMT(domain),
                   mark[0] ? " " : "", mark, from);
    if (err == 0 && h->policy.len > 0)
        err = buf_printf(to, " %s%.*s", policy, SLICE_FMT(h->policy));
    return err < 0 ? err : buf_append(to, SLICE("\n"));
}

static struct slice take_word(struct slice *line)
{
    ptrdiff_t space = slice_find(*line, ' ');
    struct slice word = slice_make(line->ptr, space < 0 ? line->len : (size_t)space);
    *line = slice_skip(*line, space < 0 ? line->len : (size_t)space + 1);
    return word;
}

/* Reads the word that tells of an old client. */
static int parse_old(struct slice word, struct old_claim *out)
{
    struct slice name = slice_str(served);
    out->state = OLD_SERVED;
    if (!slice_starts(word, name)) {
        name = slice_str(called);
        out->state = OLD_CALLED;
    }
    return slice_starts(word, name) ? address_parse(slice_skip(word, name.len), &out->from)
                                    : ERR_SYNTAX;
}

enum { EXTRA_WORDS = 2 };

/* Reads a word that a line may have at its end. */
static int parse_extra(struct slice word, struct held_name *out)
{
    struct slice name = slice_str(policy);
    if (!slice_starts(word, name))
        return parse_old(word, &out->old);
    out->policy = slice_skip(word, name.len);
    return out->policy.len > 0 ? 0 : ERR_SYNTAX;
}

/* Reads the words that older versions did not write. */
static int parse_rest(struct slice line, struct held_name *out)
{
    uint64_t rev = 0;
    struct slice word = take_word(&line), token = take_word(&line), domain = take_word(&line);
    bool none = slice_eq(token, SLICE("-")), no_domain = slice_eq(domain, SLICE("-"));
    if (slice_to_u64(word, INT64_MAX, &rev) < 0 || (!none && !token_id_valid(token)) ||
        (!no_domain && !token_host_valid(domain)))
        return ERR_SYNTAX;
    for (int i = 0; line.len > 0; i++)
        if (i == EXTRA_WORDS || parse_extra(take_word(&line), out) < 0)
            return ERR_SYNTAX;
    out->rev = (int64_t)rev;
    if (!no_domain)
        out->domain = domain;
    if (!none)
        memcpy(out->token, token.ptr, token.len);
    return 0;
}

int held_name_parse(struct slice line, struct held_name *out)
{
    struct slice name = take_word(&line), owner = take_word(&line);
    struct slice until = take_word(&line), asked = take_word(&line);
    uint64_t seconds = 0, flag = 0;
    *out = (struct held_name){0};
    if (!label_valid(name) || owner_parse(owner, out->owner) < 0 ||
        slice_to_u64(until, INT64_MAX, &seconds) < 0 || slice_to_u64(asked, 1, &flag) < 0)
        return ERR_SYNTAX;
    memcpy(out->name, name.ptr, name.len);
    out->until = (int64_t)seconds;
    out->asked = flag == 1;
    return line.len > 0 ? parse_rest(line, out) : 0;
}
