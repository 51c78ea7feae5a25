/* Turns a socket into one of the host's, under the same descriptor, once its destination turns out to be in the host's network. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Options that an application may have set before it named a destination. */
static const struct {
    int level;
    int name;
} kept[] = {
    { SOL_SOCKET, SO_REUSEADDR }, { SOL_SOCKET, SO_REUSEPORT }, { SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_BROADCAST }, { SOL_SOCKET, SO_LINGER },
    { SOL_SOCKET, SO_PRIORITY }, { IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_CORK }, { IPPROTO_TCP, TCP_USER_TIMEOUT },
    { IPPROTO_TCP, TCP_FASTOPEN_CONNECT }, { IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_MTU_DISCOVER }, { IPPROTO_IPV6, IPV6_V6ONLY },
    { IPPROTO_IPV6, IPV6_TCLASS },
};

/* Options whose default is not zero: only values that differ from it are carried over. */
static void copy_options(int from, int to, int type)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        uint8_t value[16], host[16];
        socklen_t length = sizeof value, host_length = sizeof host;
        if (type != SOCK_STREAM && kept[i].level == IPPROTO_TCP)
            continue;
        if (tw_get_option(from, kept[i].level, kept[i].name, value, &length) == 0
            && RAW(getsockopt, to, kept[i].level, kept[i].name, host, &host_length) == 0 && (length != host_length || memcmp(value, host, length) != 0))
            RAW(setsockopt, to, kept[i].level, kept[i].name, value, length);
    }

    /* These have been set on the descriptor itself. */
    static const int native[] = { SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT };
    for (size_t i = 0; i < sizeof native / sizeof *native; i++) {
        uint8_t value[16];
        socklen_t length = sizeof value;
        if (RAW(getsockopt, from, SOL_SOCKET, native[i], value, &length) == 0)
            RAW(setsockopt, to, SOL_SOCKET, native[i], value, length);
    }
}

/* A registration of a descriptor with epoll. Registrations belong to the open file, and the descriptor is about to get another one. */
struct registration {
    int epoll;
    struct epoll_event event;
};

#define MAX_REGISTRATIONS 16

static int find_in(int epoll, int fd, struct registration *found, int room)
{
    char path[64], line[256];
    int count = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
    FILE *file = fopen(path, "re");
    while (file != NULL && count < room && fgets(line, sizeof line, file) != NULL) {
        int target;
        unsigned events;
        unsigned long long data;
        if (sscanf(line, "tfd: %d events: %x data: %llx", &target, &events, &data) == 3 && target == fd)
            found[count++] = (struct registration){ .epoll = epoll, .event = { .events = events, .data.u64 = data } };
    }

    if (file != NULL)
        fclose(file);
    return count;
}

static int find_registrations(int fd, struct registration *found)
{
    int count = 0;
    struct dirent *entry;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && count < MAX_REGISTRATIONS && (entry = readdir(directory)) != NULL) {
        char path[300], target[32];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof target);
        static const char epoll[] = "anon_inode:[eventpoll]";
        if (length == sizeof epoll - 1 && memcmp(target, epoll, sizeof epoll - 1) == 0)
            count += find_in(atoi(entry->d_name), fd, found + count, MAX_REGISTRATIONS - count);
    }

    if (directory != NULL)
        closedir(directory);
    return count;
}

/* The application keeps the port that it has bound. */
static int copy_binding(int from, int to)
{
    struct tw_answer answer;
    if (tw_ask_number(from, TW_GET_SOCK_NAME, 0, &answer) != 0)
        return 0;
    struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
    socklen_t length = tw_address_out((struct tw_address *)answer.body, (struct sockaddr *)&local, sizeof local);
    if (((struct sockaddr_in *)&local)->sin_port == 0)
        return 0;
    return RAW(bind, to, &local, length) == 0 ? 0 : errno;
}

int tw_become_host(int fd, enum tw_kind kind)
{
    int domain = AF_INET, type = tw_is_stream(kind) ? SOCK_STREAM : SOCK_DGRAM;
    socklen_t length = sizeof domain;
    int error = tw_get_option(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
    if (error != 0)
        return error;

    int flags = fcntl(fd, F_GETFL), descriptor_flags = fcntl(fd, F_GETFD);
    int host = (int)RAW(socket, domain, type | SOCK_CLOEXEC, 0);
    if (host < 0)
        return errno;
    copy_options(fd, host, type);
    error = copy_binding(fd, host);
    if (error != 0) {
        RAW(close, host);
        return error;
    }

    struct registration registrations[MAX_REGISTRATIONS];
    int count = find_registrations(fd, registrations);
    for (int i = 0; i < count; i++)
        epoll_ctl(registrations[i].epoll, EPOLL_CTL_DEL, fd, NULL);
    fcntl(host, F_SETFL, flags);
    if (RAW(dup3, host, fd, (descriptor_flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) < 0)
        error = errno;
    else
        tw_note(fd, TW_FOREIGN);
    RAW(close, host);
    for (int i = 0; i < count; i++)
        epoll_ctl(registrations[i].epoll, EPOLL_CTL_ADD, fd, &registrations[i].event);
    return error;
}
