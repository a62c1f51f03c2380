/* SPDX-License-Identifier: MIT */
/* fuzz.h - what fuzz targets share: they cut an input into lines and check the slices and fields
 * that come out of it. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/http/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct slice fuzz_input(const uint8_t *data, size_t size)
{
    return slice_make((const char *)data, size);
}

/* Takes the next line off @in and returns it without its LF. */
static inline struct slice fuzz_line(struct slice *in)
{
    ptrdiff_t lf = slice_find(*in, '\n');
    struct slice line = slice_make(in->ptr, lf < 0 ? in->len : (size_t)lf);
    *in = slice_skip(*in, lf < 0 ? in->len : (size_t)lf + 1);
    return line;
}

static inline bool fuzz_within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* Checks that the fields of a head are well formed, lie within @head and are counted as RFC
 * 9113 10.5.1 does. */
static inline void fuzz_check_fields(const struct fields *f, struct slice head)
{
    size_t bytes = 0;
    for (size_t i = 0; i < f->count; i++) {
        assert(field_name_valid(f->v[i].name) && field_value_valid(f->v[i].value));
        assert(fuzz_within(f->v[i].name, head) && fuzz_within(f->v[i].value, head));
        bytes += f->v[i].name.len + f->v[i].value.len + 32;
    }
    assert(bytes == f->bytes);
}

/* Sends standard output and standard error to /dev/null until fuzz_loud(). */
struct fuzz_streams {
    FILE *out, *err;
};
static inline struct fuzz_streams fuzz_quiet(void)
{
    static FILE *nowhere;
    struct fuzz_streams was = {stdout, stderr};
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    assert(nowhere);
    stdout = stderr = nowhere;
    return was;
}

static inline void fuzz_loud(struct fuzz_streams was)
{
    stdout = was.out;
    stderr = was.err;
}

#endif
