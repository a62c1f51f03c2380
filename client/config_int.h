/* SPDX-License-Identifier: MIT */
/* config_int.h - declares what the files config*.c share. No other file includes this header. */
#ifndef CLIENT_CONFIG_INT_H
#define CLIENT_CONFIG_INT_H

#include "client/config.h"

/* Prints one line. Its value is the verdict. */
#define REFUSE(...) (fprintf(stderr, "oneport: " __VA_ARGS__), OPT_WRONG)

/* The program without a command. The commands have the same options and files. */
extern const struct opt_program config_program;

/* Return the result of config_load for what opt_parse has filled in: @operand is what to share, or
 * NULL. config_judge_server judges the server alone. */
enum opt_result config_judge(struct config *c, const char *operand) MUSTCHECK;
enum opt_result config_judge_server(struct config *c) MUSTCHECK;

/* Stores in @operand what the words of the command line say, or NULL without words. */
enum opt_result config_read_words(struct config *c, const char *const *words, size_t n,
                                  const char **operand) MUSTCHECK;

/* Parses the name of an origin's certificate: a name, or an address with or without brackets.
 * Returns 0 or an error. */
int config_parse_name(const char *value, struct url *out) MUSTCHECK;

/* Judges --proxy, and the environment where it is not given. The value may have a password, so it
 * is not printed. */
enum opt_result config_judge_proxy(struct config *c) MUSTCHECK;

/* Overwrites the login of --proxy and the passwords of --auth in the arguments that have them,
 * which ps shows to everybody, and forgets the values. Called when all options are judged. */
void config_hide_secrets(int argc, char **argv, struct config *c);

/* Finds the token, and reads the file of --token-file. Returns OPT_WRONG after one line when that
 * file holds none. A file that others may read gets a line, too. */
enum { CONFIG_TOKEN_MIN = 16, CONFIG_TOKEN_MAX = 256 };
enum opt_result config_judge_token(struct config *c) MUSTCHECK;

/* Returns 0 if @value may be a token: CONFIG_TOKEN_MIN to CONFIG_TOKEN_MAX characters that a bearer
 * token may have (RFC 6750 2.1), or ERR_SYNTAX. */
int config_check_token(const char *value) MUSTCHECK;

/* Prints the names of the tunnels in the files, one a line, for completions. */
void config_print_tunnels(void);

/* Returns NAME of the section "tunnel NAME", or NULL for another section. */
const char *config_tunnel_of(const char *section);

#endif
