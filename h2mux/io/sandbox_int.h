/* SPDX-License-Identifier: MIT */
/* sandbox_int.h - is what the files of the sandbox share. */
#ifndef H2MUX_IO_SANDBOX_INT_H
#define H2MUX_IO_SANDBOX_INT_H

#include "h2mux/io/sandbox.h"

/* ---- Landlock: sandbox_files.c */

/* Rights on files, and on what is below a folder: bits of struct landlock_ruleset_attr. */
enum {
    FILES_READ = 1 << 2 | 1 << 3,
    FILES_APPEND = 1 << 1 | 1 << 8,                             /* write, make a file */
    FILES_WRITE = FILES_READ | FILES_APPEND | 1 << 5 | 1 << 14, /* remove, truncate */
    FILES_REMOVE = 1 << 5,
    FILES_MAKE_FOLDER = 1 << 7
};

/* Returns the version of the kernel's Landlock; 0: it has none. */
int files_version(void) MUSTCHECK;
/* Makes a ruleset that refuses all files and TCP ports. Returns its descriptor, or -1 with errno
 * set. */
int files_new(int version) MUSTCHECK;
/* Allows @rights on the file or folder @path, if it exists. */
void files_allow(int ruleset, int version, const char *path, unsigned rights);
void files_allow_port(int ruleset, int version, uint16_t port);
/* Binds the calling thread to the ruleset. Returns 0, or -1 with errno set. */
int files_enter(int ruleset) MUSTCHECK;

/* Versions of Landlock that bring a part. */
enum { VERSION_FILES = 1, VERSION_PORTS = 4 /* Linux 6.7 */ };

/* ---- seccomp: sandbox_calls.c */

/* Returns whether the kernel has seccomp filters. */
bool calls_possible(void) MUSTCHECK;
/* Leaves all threads the calls of a program that serves, those for sockets if @sockets is set, and
 * those for loading code if @code is set. Returns 0, or an errno value. */
int calls_enter(bool sockets, bool code) MUSTCHECK;

#endif
