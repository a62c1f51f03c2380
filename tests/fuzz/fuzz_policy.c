/* SPDX-License-Identifier: MIT */
/* fuzz_policy.c - a policy. An input is read as a policy, and as a file of policies.
 *
 * Checks that an accepted policy has one spelling, which reads as itself and is a word of the names
 * file, and that what it edits are no fields of ours. */
#include "h2mux/base/err.h"
#include "h2mux/http/field_name.h"
#include "src/policies/edit.h"
#include "src/policies/policies.h"
#include "tests/fuzz/fuzz.h"

static void check_spelling(const struct policy *p)
{
    struct policy *again;
    const char *why;
    struct slice text = policy_text(p);
    assert(text.len > 2 && text.len <= POLICY_MAX);
    for (size_t i = 0; i < text.len; i++)
        assert(text.ptr[i] > ' ' && text.ptr[i] <= '~');
    assert(policy_parse(text, &again, &why) == 0);
    assert(slice_eq(policy_text(again), text) && policy_is(again, policy_hash(p)));
    policy_drop(again);
}

static void check_edits(const struct policy *p)
{
    static const struct slice kept[] = {
        {"content-length", 14}, {"host", 4}, {"x-forwarded-for", 15}};
    for (enum policy_head head = POLICY_REQUEST; head <= POLICY_INTERIM; head++) {
        struct fields f;
        fields_init(&f);
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            fields_add(&f, kept[i], SLICE("1"));
        policy_edit(p, head, &f);
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            assert(fields_count(&f, kept[i]) == 1);
        for (size_t i = 0; i < f.count; i++)
            assert(field_name_valid(f.v[i].name) && field_value_valid(f.v[i].value));
        fields_deinit(&f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[POLICIES_REASON_MAX] = "";
    struct slice in = fuzz_input(data, size);
    struct policy *p;
    const char *why = NULL;
    int err = policy_parse(in, &p, &why);
    assert((err == 0) == !why);
    if (p) {
        check_spelling(p);
        check_edits(p);
        assert(policy_judge(p, "unix", 0) <= POLICY_OVER);
    }
    policy_drop(p);
    struct policies *all = policies_of_text("policies", in, reason);
    assert(!all == (reason[0] != '\0'));
    policies_free(all);
    return 0;
}
