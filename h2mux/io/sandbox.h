/* SPDX-License-Identifier: MIT */
/* sandbox.h - takes from the process what it never needs: files, ports and system calls. What an
 * attacker makes the process do after that, the kernel refuses. landlock(7), seccomp(2)
 *
 * A program allows what it will open later, then enters; there is no way out. Landlock refuses
 * files and TCP ports (EACCES). seccomp refuses system calls: EPERM, and the kernel logs the call
 * where it has an audit log; execve, execveat and ptrace end the process. Descriptors that are open
 * already stay usable.
 *
 * Builds for sanitizers and for coverage (NO_SANDBOX) enter nothing, since what is linked into them
 * needs more. */
#ifndef H2MUX_IO_SANDBOX_H
#define H2MUX_IO_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum sandbox_mode {
    SANDBOX_AUTO, /* enters as far as the kernel can, and logs what it lacks */
    SANDBOX_ON,   /* fails where the kernel lacks a part */
    SANDBOX_OFF   /* enters nothing; a debugger may attach */
};

enum { SANDBOX_REASON_MAX = 256 };

/* Reads auto, on or off. Returns 0, or ERR_SYNTAX. */
int sandbox_mode_parse(const char *text, enum sandbox_mode *out) MUSTCHECK;
/* Judges the value of an option that is a mode, for its row in the table. */
int sandbox_mode_check(const char *text) MUSTCHECK;

/* Makes that no program that this one starts gets more rights than it has (no_new_privs), and that
 * no other process of the user reads its memory or writes it to a core file. Does nothing if @mode
 * is SANDBOX_OFF, or in a build without a sandbox. */
void sandbox_harden(enum sandbox_mode mode);

struct sandbox;

/* Returns a sandbox that allows no file, no port, and no code but what is loaded. */
struct sandbox *sandbox_new(void) MUSTCHECK;
/* Has no effect on who has entered. NULL is fine. */
void sandbox_free(struct sandbox *s);

/* Each of these allows more. A path that does not exist is left out; a folder stands for all that
 * is and will be below it. */
void sandbox_allow_read(struct sandbox *s, const char *path);
/* To make, write, rename and remove files in a folder. */
void sandbox_allow_write(struct sandbox *s, const char *folder);
/* To replace the file @path by one that is made beside it, and so all of that in its folder. */
void sandbox_allow_replace(struct sandbox *s, const char *path);
/* To make a file and to write to it, also after somebody has renamed it. */
void sandbox_allow_append(struct sandbox *s, const char *path);
/* To remove the file @path. */
void sandbox_allow_remove(struct sandbox *s, const char *path);
/* To read a file that is renewed: by a rename in its folder, or by changing the symbolic link that
 * it is. Allows to read the folder of the file, and those of what its links point to. In the root
 * folder only the file as it is. */
void sandbox_allow_renewed(struct sandbox *s, const char *path);
/* To connect to a TCP port of any machine, and so to make sockets: of IPv4, IPv6 and unix, with UDP
 * to any port, for DNS. Without an allowed port the process makes no sockets at all. */
void sandbox_allow_port(struct sandbox *s, uint16_t port);
/* To load shared libraries, and to ask for names (getaddrinfo). */
void sandbox_allow_names(struct sandbox *s);

/* Returns 0, or ERR_DENIED with a sentence in @reason when @mode is SANDBOX_ON and the kernel or
 * the build lacks a part that @s needs, as it is now. Changes nothing. */
int sandbox_possible(const struct sandbox *s, enum sandbox_mode mode,
                     char reason[static SANDBOX_REASON_MAX]) MUSTCHECK;

/* Enters, and logs `sandbox` with what it keeps from now on, as far as @mode says. All threads lose
 * their system calls; only the calling thread, and those that it starts, lose files and ports.
 * Frees nothing. Returns 0, or ERR_DENIED with a sentence in @reason if @mode is SANDBOX_ON and the
 * kernel lacks a part; something may have been entered then. */
int sandbox_enter(struct sandbox *s, enum sandbox_mode mode,
                  char reason[static SANDBOX_REASON_MAX]) MUSTCHECK;

/* Makes the calling thread lose files and ports too. sandbox_enter was called on another thread,
 * and has succeeded. */
void sandbox_enter_thread(const struct sandbox *s);

#endif
