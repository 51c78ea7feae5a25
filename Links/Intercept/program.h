/* What a program's file says of it, for exec.c. */
#ifndef TAPWIRE_PROGRAM_H
#define TAPWIRE_PROGRAM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>

struct tw_program {
    uint64_t identity;     /* a number of the file; 0 if it is not there, or no program */
    char reason[160];      /* why the library will not be in the program, although LD_PRELOAD names it, as "it is ..."; empty if it will be */
    char interpreter[256]; /* of a script: the program that the reason is about. Empty otherwise */
    bool is_musl;          /* whose loader fails where it cannot load what LD_PRELOAD names */
};

/* Looks at a file, and at the interpreters of scripts. The arguments are as in execveat(2). */
void tw_look_at_program(int directory, const char *file, int flags, struct tw_program *program);

/* Finds a program as execvp does. */
bool tw_find_program(const char *file, char *path, size_t room);

#endif
