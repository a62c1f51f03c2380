/* SPDX-License-Identifier: MIT */
/* file.h - reads and writes whole files through a descriptor, in as many system calls as the kernel
 * needs. After ERR_IO errno has the reason. */
#ifndef H2MUX_BASE_FILE_H
#define H2MUX_BASE_FILE_H

#include "h2mux/base/buf.h"

/* Appends the bytes of @fd up to the end of the file to @to. Returns 0; ERR_LIMIT if the file is
 * larger than @to may become, with @to full then; ERR_IO if a read fails. */
int file_read_all(int fd, struct buf *to) MUSTCHECK;
/* Writes all of @content to @fd. Returns 0, or ERR_IO if a write fails; a part may have been
 * written then. */
int file_write_all(int fd, struct slice content) MUSTCHECK;

/* Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed. Must be called before
 * anything else opens a descriptor: that would get one of these numbers, and what is written to
 * standard output and standard error would go there. Returns 0; or ERR_IO if /dev/null cannot be
 * opened, and some of the three may be closed then. */
int file_ensure_standard(void) MUSTCHECK;

#endif
