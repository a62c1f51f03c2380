/* SPDX-License-Identifier: MIT */
/* state_lock.h - keeps a state directory to one process that serves. The lock is flock(2) on the
 * file `lock` of the directory. It belongs to the open file, so it lasts until the last descriptor
 * of it is closed: a successor that inherits the descriptor has the lock without a gap, and a
 * process that dies leaves none behind. protocol.md#state-directory
 *
 * The file holds the PID of a process that serves. A process that drains empties it: who finds the
 * lock taken and no PID waits for the lock, since it will be given up in a moment. */
#ifndef SRC_NAMES_STATE_LOCK_H
#define SRC_NAMES_STATE_LOCK_H

#include "h2mux/base/slice.h"

enum { STATE_LOCK_NONE = -1 };

/* Takes the lock of the directory @dir, which exists, and writes our PID into the file. Waits up to
 * 10 s for a process that drains. Sets @fd to the descriptor that holds the lock. Returns 0;
 * ERR_TAKEN when another process serves; ERR_DENIED; or ERR_IO with errno set. After a failure
 * @reason has a sentence that names the process, and @fd is STATE_LOCK_NONE. */
int state_lock_take(const char *dir, int *fd, char *reason, size_t reason_cap) MUSTCHECK;

/* Makes the lock @fd, which was taken while the disk was read-only, one whose file can be written.
 * Does nothing while the disk is read-only, or when the file of @fd can be written already. Returns
 * @fd, which is the descriptor of the lock all the time, or STATE_LOCK_NONE, with @fd closed, when
 * another process was faster. */
int state_lock_renew(const char *dir, int fd) MUSTCHECK;

/* Tells others that the lock @fd will be given up soon. */
void state_lock_will_end(int fd);

/* Gives the lock up and closes @fd. Does nothing for STATE_LOCK_NONE. */
void state_lock_give(int fd);

#endif
