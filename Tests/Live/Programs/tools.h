/* What the programs of this folder have in common. */
#ifndef TOOLS_H
#define TOOLS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A result as text: the number, or the name of the error. */
static inline const char *said(long result)
{
    static char texts[8][64];
    static unsigned next;
    char *text = texts[next++ % 8];
    if (result >= 0)
        snprintf(text, sizeof *texts, "%ld", result);
    else
        snprintf(text, sizeof *texts, "%s", strerrorname_np(errno));
    return text;
}

static inline struct sockaddr_in at(const char *address, int port)
{
    struct sockaddr_in result = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, address, &result.sin_addr);
    return result;
}

static inline int port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return getsockname(fd, (struct sockaddr *)&name, &length) == 0 ? ntohs(((struct sockaddr_in *)&name)->sin_port) : -1;
}

/* A part of a program, which its last argument names. */
struct part {
    const char *name;
    void (*run)(void);
};

/* Runs one part, or all if only is NULL, each below its name. */
static inline int run_parts(const struct part *parts, size_t count, const char *only)
{
    for (size_t i = 0; i < count; i++) {
        if (only != NULL && strcmp(only, parts[i].name) != 0)
            continue;
        printf("== %s\n", parts[i].name);
        parts[i].run();
    }

    return 0;
}

#endif
