/* SPDX-License-Identifier: MIT */
/* anchors.c - see anchors.h. */
#include "h2mux/io/anchors.h"

#include <dirent.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const places[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Gentoo */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* RHEL, Fedora */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/ssl/cert.pem",                  /* Alpine */
};

static bool has_entries(const char *folder)
{
    DIR *d = opendir(folder);
    bool found = false;
    if (!d)
        return false;
    for (const struct dirent *e; !found && (e = readdir(d));)
        found = e->d_name[0] != '.';
    closedir(d);
    return found;
}

/* Writes the values of the variables that OpenSSL obeys. Returns false if none is set. */
static bool told(char *out, size_t size)
{
    const char *file = getenv(X509_get_default_cert_file_env());
    const char *folder = getenv(X509_get_default_cert_dir_env());
    if (!file && !folder)
        return false;
    snprintf(out, size, "%s%s%s", file ? file : "", file && folder ? " and " : "",
             folder ? folder : "");
    return true;
}

const char *anchors_find(char *out, size_t size)
{
    const char *file = X509_get_default_cert_file(), *folder = X509_get_default_cert_dir();
    if (told(out, size))
        return NULL;
    if (access(file, R_OK) == 0 || has_entries(folder)) {
        snprintf(out, size, "%s", access(file, R_OK) == 0 ? file : folder);
        return NULL;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], R_OK) != 0)
            continue;
        snprintf(out, size, "%s", places[i]);
        return places[i];
    }
    snprintf(out, size, "none found");
    return NULL;
}
