/* SPDX-License-Identifier: MIT */
/* replay.c - runs a fuzz target on the files and directories of its command line, so that a corpus
 * can be tested without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "h2mux/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path);

static int replay_file(const char *path, size_t size)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return -1;
    /* Exactly the size, so that a sanitizer finds a read beyond it. */
    uint8_t *data = xcalloc(1, size ? size : 1);
    size_t len = fread(data, 1, size, in);
    fclose(in);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 1;
}

static int replay_directory(const char *path)
{
    DIR *dir = opendir(path);
    int files = 0;
    if (!dir)
        return -1;
    for (const struct dirent *e; files >= 0 && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        char *inside = xasprintf("%s/%s", path, e->d_name);
        int n = replay(inside);
        files = n < 0 ? n : files + n;
        free(inside);
    }
    closedir(dir);
    return files;
}

/* Runs @path and what lies below. Returns the number of files, or -1. */
static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -1;
    return S_ISDIR(st.st_mode) ? replay_directory(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i]);
        if (n < 0) {
            perror(argv[i]);
            return 1;
        }
        files += n;
    }
    printf("%d inputs\n", files);
    return files > 0 ? 0 : 1;
}
