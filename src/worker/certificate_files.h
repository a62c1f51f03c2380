/* SPDX-License-Identifier: MIT */
/* certificate_files.h - lists the files of the server's certificates: those of --cert and --key in
 * their order, then the files of --cert-dir: default.pem, then the others in the order of their
 * names. Each NAME.pem there has a chain and its key. Names that begin with a dot do not count. */
#ifndef SRC_WORKER_CERTIFICATE_FILES_H
#define SRC_WORKER_CERTIFICATE_FILES_H

#include "h2mux/io/tls.h"
#include "src/worker/config.h"

enum { CERTIFICATE_FILES_MAX = 1000 /* in --cert-dir */ };

struct certificate_files {
    struct tls_pair *pair; /* owned; the names of files in it live as long as this and the config */
    size_t count;
    size_t first_of_dir; /* the index of the first one of --cert-dir, or `count` */
    char **made;         /* owned: the names of files of --cert-dir */
};

/* Lists the files. No file of --cert-dir may be there yet. Returns 0; or ERR_IO with @reason when
 * the folder cannot be read, or ERR_LIMIT when it has too many; then nothing is to be freed. */
int certificate_files_list(struct certificate_files *out, const struct config *c,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;
void certificate_files_free(struct certificate_files *f);

/* Writes to @name the name that a certificate of --cert-dir should have by the name of its file:
 * "a.test" for "/dir/a.test.pem"; "*.test" for "_.test.pem", as tools write the star. Returns false
 * when @file is not of that folder, or is not named after a host: its name has no dot. */
bool certificate_files_name(const struct config *c, const char *file, char *name,
                            size_t cap) MUSTCHECK;

#endif
