/* SPDX-License-Identifier: MIT */
/* conf_edit.c - changes one option in the text of a configuration file; see conf.h. */
#include "h2mux/base/conf.h"
#include "h2mux/base/err.h"

/* Takes the first line off @text and returns it, with its line feed. */
static struct slice take_line(struct slice *text)
{
    ptrdiff_t lf = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, lf < 0 ? text->len : (size_t)lf + 1);
    *text = slice_skip(*text, line.len);
    return line;
}

/* Returns whether @line gives a value to @key. A byte-order mark may precede the key. */
static bool is_of_key(struct slice line, struct slice key)
{
    size_t len = 0;
    if (slice_starts(line, SLICE("\xef\xbb\xbf")))
        line = slice_skip(line, 3);
    while (len < line.len && line.ptr[len] != '=' && line.ptr[len] != ':')
        len++;
    return len < line.len && slice_eq(slice_trim(slice_make(line.ptr, len)), key);
}

static bool is_section(struct slice line)
{
    return slice_starts(line, SLICE("[")) || slice_starts(line, SLICE("\xef\xbb\xbf["));
}

/* Returns the comment of @line with the blanks before it and the end of the line. */
static struct slice comment_of(struct slice line)
{
    size_t end = line.len, at;
    while (end > 0 && (line.ptr[end - 1] == '\n' || line.ptr[end - 1] == '\r'))
        end--;
    for (at = 1; at < end; at++)
        if (line.ptr[at] == ';' && (line.ptr[at - 1] == ' ' || line.ptr[at - 1] == '\t'))
            break;
    while (at > 0 && at < end && (line.ptr[at - 1] == ' ' || line.ptr[at - 1] == '\t'))
        at--;
    return slice_skip(line, at < end ? at : end);
}

/* Appends the line @key = @value, then @rest. */
static int put_line(struct buf *out, const char *key, const char *value, struct slice rest)
{
    size_t end = rest.len;
    while (end > 0 && (rest.ptr[end - 1] == '\n' || rest.ptr[end - 1] == '\r'))
        end--;
    if (strlen(key) + 3 + strlen(value) + end > CONF_LINE_MAX)
        return ERR_LIMIT;
    return buf_printf(out, "%s = %s%.*s", key, value, SLICE_FMT(rest));
}

/* Returns how many bytes of @text are above the first section. */
static size_t top_len(struct slice text)
{
    struct slice rest = text;
    while (rest.len > 0) {
        struct slice before = rest;
        if (is_section(take_line(&rest)))
            return text.len - before.len;
    }
    return text.len;
}

/* Appends @top with the value of @key replaced. Returns 1 if @key was there, 0 if not, or an error.
 */
static int copy_top(struct slice top, const char *key, const char *value, struct buf *out)
{
    int err = 0, found = 0;
    while (top.len > 0 && err == 0) {
        struct slice line = take_line(&top);
        bool comment = line.ptr[0] == '#' || line.ptr[0] == ';';
        if (comment || found || !is_of_key(line, slice_str(key))) {
            err = buf_append(out, line);
            continue;
        }
        found = 1;
        if (slice_starts(line, SLICE("\xef\xbb\xbf")))
            err = buf_append(out, slice_make(line.ptr, 3));
        if (err == 0)
            err = put_line(out, key, value, comment_of(line));
    }
    return err < 0 ? err : found;
}

int conf_put(struct slice text, const char *key, const char *value, struct buf *out)
{
    size_t len = top_len(text);
    struct slice top = slice_make(text.ptr, len), sections = slice_skip(text, len);
    int found = copy_top(top, key, value, out);
    int err = found < 0 ? found : 0;
    if (found == 0 && top.len > 0 && top.ptr[top.len - 1] != '\n')
        err = buf_append(out, SLICE("\n"));
    if (found == 0 && err == 0)
        err = put_line(out, key, value, sections.len > 0 ? SLICE("\n\n") : SLICE("\n"));
    return err < 0 ? err : buf_append(out, sections);
}
