/* SPDX-License-Identifier: MIT */
/* token_command.c - reads, prints and replaces the tokens file; see token_command.h. Nothing is
 * written that oneportd would not read. */
#include "src/token_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/opt.h"
#include "h2mux/http/bytes.h"
#include "src/names/tokens.h"
#include "src/worker/config.h"

enum { WORDS_MAX = 64 };

struct options {
    const char *tokens, *config;
};

static const struct opt rows[] = {
    {.name = "tokens",
     .type = OPT_TEXT,
     .offset = offsetof(struct options, tokens),
     .value = "FILE",
     .help = "the tokens file (default as in the server's configuration file)",
     .wants = "a file"},
    {.name = "config",
     .type = OPT_TEXT,
     .offset = offsetof(struct options, config),
     .value = "FILE",
     .help = "the server's configuration file (default /etc/oneport/oneportd.conf)",
     .wants = "a file"},
    {.name = NULL},
};

static const struct opt_program program = {
    .name = "oneportd token",
    .env_prefix = "ONEPORTD_",
    .usage = "oneportd token [--tokens FILE] new ID [OPTION=VALUE...] [COMMENT...]\n"
             "       oneportd token [--tokens FILE] list | revoke ID | check",
    .about =
        "Makes a token, by which somebody may share through this server, and prints it once; or "
        "lists, revokes and checks tokens.",
    .epilogue =
        "Options of a token: names=demo-* reserve=team-* domains=app.example.org max=5 links=4 "
        "streams=100 until=2027-01-01.\nSIGHUP makes a running oneportd read the file.",
    .rows = rows,
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program.name, what, why);
    return EXIT_FAILURE;
}

static int complain_io(const char *path)
{
    return complain(path, strerrordesc_np(errno));
}

/* ---- the file */

/* The file, whose directory is locked against other commands. */
struct file {
    const char *path; /* borrowed */
    int lock;         /* -1: none */
    bool is_new;
    struct stat was; /* of the old file */
    struct buf text;
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : slice_dup(slice_make(path, (size_t)(slash - path)));
}

/* Locks the folder and reads the file, which may be missing if @may_lack. Returns 0, or 1 after a
 * complaint; file_close frees @f in either case. */
static int file_open(struct file *f, const char *path, bool may_lack)
{
    const char *why = NULL;
    char *folder = folder_of(path);
    *f = (struct file){.path = path, .lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    free(folder);
    buf_init(&f->text, TOKENS_FILE_MAX);
    if (f->lock < 0 || flock(f->lock, LOCK_EX) < 0)
        return complain_io(path);
    int fd = file_open_trusted(path, &why);
    f->is_new = fd == ERR_NOT_FOUND;
    if (f->is_new && may_lack)
        return EXIT_SUCCESS;
    if (fd < 0)
        return complain(path, why);
    int err = fstat(fd, &f->was) < 0 ? ERR_IO : file_read_all(fd, &f->text);
    close(fd);
    if (err < 0)
        return err == ERR_IO ? complain_io(path) : complain(path, err_text(err));
    return EXIT_SUCCESS;
}

static void file_close(struct file *f)
{
    buf_release(&f->text);
    if (f->lock >= 0)
        close(f->lock);
}

/* Writes all of @text to a new file @name, with owner and mode of the old file. */
static int write_beside(const struct file *f, const char *name, struct slice text)
{
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    int err = 0;
    if (!f->is_new && (f->was.st_uid != geteuid() || f->was.st_gid != getegid()))
        err = fchown(fd, f->was.st_uid, f->was.st_gid) < 0 ? ERR_IO : 0;
    if (err == 0 && !f->is_new && fchmod(fd, f->was.st_mode & 0755) < 0)
        err = ERR_IO;
    if (err == 0)
        err = file_write_all(fd, text);
    if (err == 0 && fsync(fd) < 0)
        err = ERR_IO;
    return close(fd) < 0 ? ERR_IO : err;
}

/* Replaces the file by one with @text, if oneportd would read that. A link stays one. */
static int file_save(const struct file *f, struct slice text)
{
    char reason[TOKENS_REASON_MAX];
    struct tokens *t = tokens_of_text(text, reason);
    if (!t)
        return complain(f->path, reason);
    tokens_free(t);
    char *real = f->is_new ? xstrdup(f->path) : realpath(f->path, NULL);
    char *temporary = real ? xasprintf("%s.new", real) : NULL;
    int err = real ? write_beside(f, temporary, text) : ERR_IO;
    if (err == 0 && rename(temporary, real) < 0)
        err = ERR_IO;
    int error = errno;
    if (err < 0 && temporary)
        unlink(temporary);
    free(temporary);
    free(real);
    errno = error;
    return err < 0 ? complain_io(f->path) : EXIT_SUCCESS;
}

/* Takes the first line from @text, with its line feed. */
static struct slice take_line(struct slice *text)
{
    ptrdiff_t end = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, end < 0 ? text->len : (size_t)end + 1);
    *text = slice_skip(*text, line.len);
    return line;
}

/* Reads the token of a line. Returns false for a line that has none. */
static bool token_in(struct slice line, struct token *t)
{
    const char *why;
    line = slice_trim(line);
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    return line.len > 0 && line.ptr[0] != '#' && token_parse(line, t, &why) == 0;
}

/* ---- new */

/* Appends the line of the token @text to @to. */
static int print_line(struct buf *to, const char *text, const char *const *words, size_t n)
{
    uint8_t hash[TOKEN_HASH_LEN];
    char hex[2 * TOKEN_HASH_LEN + 1];
    int err = token_hash(slice_str(text), hash);
    if (err == 0) {
        bytes_to_hex(hash, sizeof hash, hex);
        err = buf_printf(to, "%s sha256:%s", words[0], hex);
    }
    for (size_t i = 1; i < n && err == 0; i++)
        err = buf_printf(to, " %s", words[i]);
    return err == 0 ? buf_printf(to, "\n") : err;
}

/* Judges the words as the line that they will be. A word with a line feed would be two lines. */
static int judge_words(const char *const *words, size_t n)
{
    struct token t = {.max = 0};
    const char *why;
    if (!token_id_valid(slice_str(words[0])))
        return complain(words[0], "is no ID: want letters, digits and .-_@");
    for (size_t i = 1; i < n; i++) {
        for (const char *at = words[i]; *at; at++)
            if ((unsigned char)*at < ' ')
                return complain(words[0], "a word has a character that a line cannot have");
        if (strchr(words[i], '=') && token_option(slice_str(words[i]), &t, &why) < 0)
            return complain(words[i], why);
    }
    return EXIT_SUCCESS;
}

static int add(struct file *f, const char *text, const char *const *words, size_t n)
{
    struct slice old = buf_slice(&f->text);
    bool cut = old.len > 0 && old.ptr[old.len - 1] != '\n';
    int err = cut ? buf_printf(&f->text, "\n") : 0;
    if (err == 0)
        err = print_line(&f->text, text, words, n);
    return err < 0 ? complain(f->path, err_text(err)) : file_save(f, buf_slice(&f->text));
}

static int make(const char *path, const char *const *words, size_t n)
{
    struct file f;
    char text[TOKEN_TEXT_LEN + 1];
    if (judge_words(words, n) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    if (token_new(text) < 0)
        return complain(words[0], "no random bytes");
    int status = file_open(&f, path, true);
    if (status == EXIT_SUCCESS)
        status = add(&f, text, words, n);
    if (status == EXIT_SUCCESS) {
        puts(text);
        fprintf(stderr,
                "This is the token of %s; it is shown only now. Whoever has it shares by "
                "`oneport --token-file FILE`.\nSIGHUP makes a running oneportd read %s.\n",
                words[0], path);
    }
    OPENSSL_cleanse(text, sizeof text);
    file_close(&f);
    return status;
}

/* ---- list, revoke, check */

/* Prints ID and what is behind the hash. */
static void show(struct slice line, const struct token *t)
{
    bool over = token_is_over(t, clock_wall_s());
    struct slice rest = slice_trim(line);
    rest = slice_trim(slice_skip(rest, strlen(t->id)));
    ptrdiff_t blank = -1;
    for (size_t i = 0; i < rest.len && blank < 0; i++)
        if (rest.ptr[i] == ' ' || rest.ptr[i] == '\t')
            blank = (ptrdiff_t)i;
    rest = slice_trim(slice_skip(rest, blank < 0 ? rest.len : (size_t)blank));
    while (rest.len > 0 && (unsigned char)rest.ptr[rest.len - 1] < ' ')
        rest.len--;
    printf("%-24s %-7s %.*s\n", t->id,
           over        ? "over"
           : t->secret ? "token"
                       : "cert",
           SLICE_FMT(rest));
}

static int list(const char *path)
{
    struct file f;
    struct token t;
    int status = file_open(&f, path, false);
    for (struct slice rest = buf_slice(&f.text); status == EXIT_SUCCESS && rest.len > 0;) {
        struct slice line = take_line(&rest);
        if (token_in(line, &t))
            show(line, &t);
    }
    file_close(&f);
    return status;
}

static int take_out(const char *path, const char *id)
{
    struct file f;
    struct buf left;
    struct token t;
    bool found = false;
    int err = 0, status = file_open(&f, path, false);
    buf_init(&left, TOKENS_FILE_MAX);
    for (struct slice rest = buf_slice(&f.text); status == EXIT_SUCCESS && rest.len > 0;) {
        struct slice line = take_line(&rest);
        bool is_it = token_in(line, &t) && strcmp(t.id, id) == 0;
        found |= is_it;
        if (!is_it && err == 0)
            err = buf_append(&left, line);
    }
    if (status == EXIT_SUCCESS && !found)
        status = complain(id, "is no token of the file");
    if (status == EXIT_SUCCESS && err == 0)
        status = file_save(&f, buf_slice(&left));
    if (status == EXIT_SUCCESS)
        fprintf(stderr, "SIGHUP makes a running oneportd read %s, and ends what %s shares.\n", path,
                id);
    buf_release(&left);
    file_close(&f);
    return status;
}

static int check(const char *path)
{
    char reason[TOKENS_REASON_MAX];
    struct tokens *t = tokens_open(path, reason);
    if (!t) {
        fprintf(stderr, "%s: %s\n", program.name, reason);
        return EXIT_FAILURE;
    }
    printf("%s: %zu tokens\n", path, tokens_count(t));
    tokens_free(t);
    return EXIT_SUCCESS;
}

/* ---- the command */

static int run(const char *path, const char *const *words, size_t n)
{
    const char *verb = n > 0 ? words[0] : "";
    if (n >= 2 && strcmp(verb, "new") == 0)
        return make(path, words + 1, n - 1);
    if (n == 1 && strcmp(verb, "list") == 0)
        return list(path);
    if (n == 2 && strcmp(verb, "revoke") == 0)
        return take_out(path, words[1]);
    if (n == 1 && strcmp(verb, "check") == 0)
        return check(path);
    fprintf(stderr, "usage: %s\n", program.usage);
    return EXIT_FAILURE;
}

/* Returns the value of `tokens` in the server's configuration file, which the caller frees; NULL:
 * there is none. */
static char *path_of_conf(const struct options *o)
{
    char why[CONF_WHY_MAX];
    struct conf *conf = NULL;
    const char *file = o->config ? o->config : config_default_file;
    if (strcmp(file, "none") == 0 || conf_read(file, &conf, why) < 0)
        return NULL;
    const struct conf_entry *e = conf_find(conf, "", "tokens", NULL);
    char *path = e ? xstrdup(e->value) : NULL;
    conf_free(conf);
    return path;
}

int token_command_run(int argc, char **argv)
{
    struct options o = {.tokens = NULL};
    const char *words[WORDS_MAX];
    size_t n = 0;
    switch (opt_parse(&program, argc, argv, &o, words, WORDS_MAX, &n)) {
    case OPT_SHOWN:
        return EXIT_SUCCESS;
    case OPT_WRONG:
        return EXIT_FAILURE;
    case OPT_RUN:
        break;
    }
    char *path = o.tokens ? xstrdup(o.tokens) : path_of_conf(&o);
    int status = path ? run(path, words, n)
                      : complain("--tokens", "is required, as the configuration file has none");
    free(path);
    return status;
}
