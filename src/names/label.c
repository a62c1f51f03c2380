/* SPDX-License-Identifier: MIT */
/* label.c - checks the grammar of names, and makes random names of two words and a number; see
 * label.h. */
#include "src/names/label.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/err.h"

enum { NAME_MIN_LEN = 3, TRIES = 256 };

/* Names that no tunnel may have, since such a subdomain could look like a part of the server. A
 * later version may reserve more names. */
static const char *const reserved[] = {"www",    "api",     "register", "tunnel",
                                       "status", "metrics", "admin",    "oneport"};

static const char *const adjectives[] = {
    "able",   "agile",  "amber",  "ample",  "azure",  "bold",   "brave",  "breezy",
    "bright", "brisk",  "calm",   "candid", "cheery", "chief",  "civil",  "clear",
    "clever", "cosy",   "crisp",  "curly",  "daring", "dapper", "deft",   "eager",
    "early",  "fair",   "fancy",  "fleet",  "fluffy", "fond",   "fresh",  "gentle",
    "glad",   "golden", "grand",  "happy",  "hardy",  "humble", "jolly",  "keen",
    "kind",   "lively", "loyal",  "lucid",  "lucky",  "mellow", "merry",  "mighty",
    "modest", "neat",   "nimble", "noble",  "placid", "polite", "prompt", "proud",
    "quick",  "quiet",  "rapid",  "silver", "sunny",  "swift",  "tidy",   "witty",
};

static const char *const animals[] = {
    "alpaca", "auk",     "badger", "beaver",  "bison",   "bobcat",  "camel",   "caribou",
    "cicada", "condor",  "coot",   "crane",   "curlew",  "dingo",   "dolphin", "dormouse",
    "eagle",  "egret",   "eland",  "elk",     "ermine",  "falcon",  "ferret",  "finch",
    "gannet", "gazelle", "gecko",  "gibbon",  "grouse",  "hare",    "heron",   "hoopoe",
    "ibex",   "ibis",    "impala", "jackdaw", "jay",     "kestrel", "koala",   "lapwing",
    "lemur",  "linnet",  "lynx",   "marmot",  "marten",  "moose",   "newt",    "ocelot",
    "oriole", "osprey",  "otter",  "panda",   "pelican", "plover",  "puffin",  "quail",
    "raven",  "robin",   "seal",   "stork",   "tapir",   "toucan",  "walrus",  "wombat",
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_reserved(struct slice name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (slice_eq(name, slice_str(reserved[i])))
            return true;
    return false;
}

const char *label_fault(struct slice name)
{
    if (name.len < NAME_MIN_LEN)
        return "This name is too short: a name has 3 to 63 characters.";
    if (name.len > NAME_MAX_LEN)
        return "This name is too long: a name has 3 to 63 characters.";
    for (size_t i = 0; i < name.len; i++)
        if (!is_alnum(name.ptr[i]) && name.ptr[i] != '-')
            return "This name has a character that no name may have: a name is of letters, digits "
                   "and, between them, hyphens.";
    if (!is_alnum(name.ptr[0]) || !is_alnum(name.ptr[name.len - 1]))
        return "This name begins or ends with a hyphen: hyphens stand between letters and digits.";
    return is_reserved(name) ? "This name is reserved for the server itself: choose another one."
                             : NULL;
}

bool label_valid(struct slice name)
{
    return !label_fault(name);
}

static const char *pick_word(const char *const *words, size_t n)
{
    return words[arc4random_uniform((uint32_t)n)];
}

int label_random(bool (*taken)(struct slice name, void *user), void *user,
                 char out[static NAME_MAX_LEN + 1])
{
    for (int i = 0; i < TRIES; i++) {
        snprintf(out, NAME_MAX_LEN + 1, "%s-%s-%u",
                 pick_word(adjectives, sizeof adjectives / sizeof adjectives[0]),
                 pick_word(animals, sizeof animals / sizeof animals[0]),
                 10 + arc4random_uniform(90));
        if (!taken(slice_str(out), user))
            return 0;
    }
    return ERR_LIMIT;
}
