/* What the programs of this folder have in common. */
#ifndef TOOLS_H
#define TOOLS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The family of the sockets: IPv4, or with -DOVER_IPV6 the other one. */
#ifdef OVER_IPV6
#define FAMILY AF_INET6
#define ANY "::"
#define LOOPBACK "::1"
#define SOL_FAMILY IPPROTO_IPV6
#define FAMILY_MTU_DISCOVER IPV6_MTU_DISCOVER
#define FAMILY_MTU IPV6_MTU
#define FAMILY_TTL IPV6_UNICAST_HOPS
#define FAMILY_TOS IPV6_TCLASS
#define FAMILY_RECVTTL IPV6_RECVHOPLIMIT
#define FAMILY_RECVERR IPV6_RECVERR
#define sockaddr_ip sockaddr_in6
#define ip_family sin6_family
#define ip_port sin6_port
#define ip_address sin6_addr
#else
#define FAMILY AF_INET
#define ANY "0.0.0.0"
#define LOOPBACK "127.0.0.1"
#define SOL_FAMILY IPPROTO_IP
#define FAMILY_MTU_DISCOVER IP_MTU_DISCOVER
#define FAMILY_MTU IP_MTU
#define FAMILY_TTL IP_TTL
#define FAMILY_TOS IP_TOS
#define FAMILY_RECVTTL IP_RECVTTL
#define FAMILY_RECVERR IP_RECVERR
#define sockaddr_ip sockaddr_in
#define ip_family sin_family
#define ip_port sin_port
#define ip_address sin_addr
#endif

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

static inline struct sockaddr_ip at(const char *address, int port)
{
    struct sockaddr_ip result = { .ip_family = FAMILY, .ip_port = htons(port) };
    inet_pton(FAMILY, address, &result.ip_address);
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
