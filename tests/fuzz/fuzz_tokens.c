/* SPDX-License-Identifier: MIT */
/* fuzz_tokens.c - a tokens file. The first line of an input is a name, the rest is the file.
 *
 * Checks that an error names a line or an ID, and that who is not permitted a name is not given it
 * by a pattern, by no ID, or by an ID that no line begins with. */
#include "src/names/label.h"
#include "src/names/tokens.h"
#include "tests/fuzz/fuzz.h"

enum { NOW = 1700000000 };

static bool has_line_of(struct slice file, struct slice id)
{
    while (file.len > 0) {
        ptrdiff_t end = slice_find(file, '\n');
        struct slice line = slice_trim(slice_make(file.ptr, end < 0 ? file.len : (size_t)end));
        if (slice_starts(line, id))
            return true;
        file = slice_skip(file, end < 0 ? file.len : (size_t)end + 1);
    }
    return false;
}

static void check(struct tokens *t, struct slice name, struct slice file)
{
    static const struct slice ids[] = {{"ann", 3}, {"bob", 3}, {"leap", 4}, {"", 0}};
    struct token_grant g;
    char fitting[NAME_MAX_LEN + 1];
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        enum token_verdict known = tokens_look(t, ids[i], NOW, &g);
        enum token_verdict v = tokens_permit(t, ids[i], name, NOW);
        assert(known != TOKEN_GOOD || slice_eq(slice_str(g.id), ids[i]));
        assert(known == TOKEN_GOOD || v == known);
        assert(v != TOKEN_GOOD || (i < 2 && has_line_of(file, ids[i])));
        if (known == TOKEN_GOOD && tokens_fit(t, ids[i], SLICE("brave-otter-42"), fitting) == 0)
            assert(tokens_permit(t, ids[i], slice_str(fitting), NOW) != TOKEN_NAME);
    }
    assert(tokens_find(t, name, NOW, &g) != TOKEN_GOOD || g.id[0] != '\0');
    (void)!tokens_permit_leap(t, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    ptrdiff_t end = slice_find(in, '\n');
    struct slice name = slice_make(in.ptr, end < 0 ? 0 : (size_t)end);
    struct slice file = slice_skip(in, end < 0 ? 0 : (size_t)end + 1);
    char reason[TOKENS_REASON_MAX] = "";
    struct tokens *t = tokens_of_text(file, reason);
    if (t)
        check(t, name, file);
    else
        assert(strncmp(reason, "tokens:", 7) == 0);
    tokens_free(t);
    return 0;
}
