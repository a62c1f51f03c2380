/* SPDX-License-Identifier: MIT */
/* command.h - finds the command that the first word of the command line names. */
#ifndef SRC_COMMAND_H
#define SRC_COMMAND_H

enum { COMMAND_NONE = -1 };

/* Runs the command that @argv[1] names. Returns its exit code, or COMMAND_NONE when it names none,
 * since oneportd is to serve. */
int command_run(int argc, char **argv);

#endif
