/* SPDX-License-Identifier: MIT */
/* names_command.h - runs `oneportd names`: shows the names that are held and reserved, and releases
 * one. It reads the files of the state directory. While a server serves from the directory, a
 * release is an order in the file `release`, which the server looks for each second and removes
 * when it is done; otherwise the command has the lock and changes the files itself. */
#ifndef SRC_NAMES_COMMAND_H
#define SRC_NAMES_COMMAND_H

/* Runs the command. @argv[0] is "names". Returns the exit code: 0, or 1 after a line on standard
 * error. */
int names_command_run(int argc, char **argv);

#endif
