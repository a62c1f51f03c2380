/* SPDX-License-Identifier: MIT */
/* file.h - reads and writes whole files through a descriptor, in as many system calls as the kernel
 * needs. After ERR_IO errno has the reason. */
#ifndef H2MUX_BASE_FILE_H
#define H2MUX_BASE_FILE_H

#include "h2mux/base/buf.h"

/* Opens @path, relative to the directory @at (AT_FDCWD: the current one), with the open(2) flags
 * @flags. Refuses what somebody else may have put there or changed: a symbolic link, a file that
 * belongs neither to us nor to root, and one that may be written by others than a group of ours.
 * The file is regular, or a directory if @flags has O_DIRECTORY; nothing else is waited for. With
 * O_CREAT the file is made with mode 0600.
 *
 * Returns a descriptor; ERR_NOT_FOUND; ERR_DENIED for what is refused; or ERR_IO. After a failure
 * @why is static text that says the reason, and what to do where that is known; errno is set for
 * ERR_IO. */
int file_open_own(int at, const char *path, int flags, const char **why) MUSTCHECK;

/* Opens the regular file @path for reading. Refuses, as file_open_own does, what somebody else may
 * have changed, but follows symbolic links. Returns a descriptor, or an error with @why as that. */
int file_open_trusted(const char *path, const char **why) MUSTCHECK;

/* Appends the bytes of @fd up to the end of the file to @to. Returns 0; ERR_LIMIT if the file is
 * larger than @to may become, with @to full then; ERR_IO if a read fails. */
int file_read_all(int fd, struct buf *to) MUSTCHECK;
/* Writes all of @content to @fd. Returns 0, or ERR_IO if a write fails; a part may have been
 * written then. */
int file_write_all(int fd, struct slice content) MUSTCHECK;

/* Makes the directories above @path that are missing, with mode 0700. Returns 0, or ERR_IO. */
int file_make_directories(const char *path) MUSTCHECK;

/* Replaces the file @path by one with this @text and mode 0600: writes all of it to disk under the
 * name @temporary, which is in the same directory, then renames that. Returns 0; or ERR_IO, with
 * @path as it was. */
int file_replace(const char *path, const char *temporary, struct slice text) MUSTCHECK;

/* Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed. Must be called before
 * anything else opens a descriptor: that would get one of these numbers, and what is written to
 * standard output and standard error would go there. Returns 0; or ERR_IO if /dev/null cannot be
 * opened, and some of the three may be closed then. */
int file_ensure_standard(void) MUSTCHECK;

#endif
