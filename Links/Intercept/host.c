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

/*
 * What applications have set on sockets that may still become the host's, in the order of the calls. A ring: the oldest is forgotten. A socket's options are known by
 * its cookie, so that copies of a descriptor share them, and a child of fork has its parent's.
 */
#define REMEMBERED 1024
#define LONGEST_VALUE 136 /* struct group_req */
static struct setting {
    _Atomic uint64_t handle; /* 0 while the rest is written */
    int level;
    int name;
    socklen_t length;
    uint8_t value[LONGEST_VALUE];
} settings[REMEMBERED];
static _Atomic uint32_t next_setting;

void tw_remember_option(int fd, int level, int name, const void *value, socklen_t length)
{
    enum tw_kind kind = tw_known(fd);
    if ((kind != TW_STREAM_FRESH && kind != TW_DATAGRAM_FRESH) || length > LONGEST_VALUE || (level == SOL_SOCKET && name == SO_ATTACH_FILTER))
        return;
    uint64_t handle = tw_handle(fd);
    struct setting *setting = &settings[next_setting++ % REMEMBERED];
    struct iovec vector = { .iov_base = (void *)value, .iov_len = length };
    setting->handle = 0;
    setting->level = level;
    setting->name = name;
    setting->length = (socklen_t)tw_copy_in(setting->value, &vector, 1, length);
    setting->handle = handle;
}

static bool is_remembered(uint64_t handle, int level, int name)
{
    for (size_t i = 0; i < REMEMBERED; i++)
        if (settings[i].handle == handle && settings[i].level == level && settings[i].name == name)
            return true;
    return false;
}

/* Sets again what was set on a socket. An option that the host refuses is left out. */
static void repeat_options(uint64_t handle, int to)
{
    uint32_t end = next_setting;
    for (uint32_t i = end - REMEMBERED; i != end; i++) {
        struct setting setting = settings[i % REMEMBERED];
        if (setting.handle == handle)
            RAW(setsockopt, to, setting.level, setting.name, setting.value, setting.length);
    }
}

/* Options that an application may have set before this program began with the socket. */
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
    uint64_t handle = tw_handle(from);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        uint8_t value[16], host[16];
        socklen_t length = sizeof value, host_length = sizeof host;
        if ((type != SOCK_STREAM && kept[i].level == IPPROTO_TCP) || is_remembered(handle, kept[i].level, kept[i].name))
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

    repeat_options(handle, to);
}

/* Status flags, and who gets signals of the socket (O_ASYNC). */
static void copy_status(int from, int to)
{
    struct f_owner_ex owner;
    int signal = fcntl(from, F_GETSIG), flags = fcntl(from, F_GETFL);
    if (fcntl(from, F_GETOWN_EX, &owner) == 0 && owner.pid != 0)
        fcntl(to, F_SETOWN_EX, &owner);
    if (signal > 0)
        fcntl(to, F_SETSIG, signal);
    if (flags >= 0)
        fcntl(to, F_SETFL, flags);
}

/* The descriptors of a socket in this process, the copies that dup has made among them. */
#define MAX_COPIES 64

/* A registration of a descriptor with epoll. Registrations belong to the open file, and the descriptor is about to get another one. */
struct registration {
    int epoll;
    int fd;
    struct epoll_event event;
};

#define MAX_REGISTRATIONS 64

struct places {
    int copies[MAX_COPIES];
    int copy_count;
    struct registration registrations[MAX_REGISTRATIONS];
    int registration_count;
};

static bool is_among(const struct places *places, int fd)
{
    for (int i = 0; i < places->copy_count; i++)
        if (places->copies[i] == fd)
            return true;
    return false;
}

static void find_in(int epoll, struct places *places)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
    FILE *file = fopen(path, "re");
    while (file != NULL && places->registration_count < MAX_REGISTRATIONS && fgets(line, sizeof line, file) != NULL) {
        int target;
        unsigned events;
        unsigned long long data;
        if (sscanf(line, "tfd: %d events: %x data: %llx", &target, &events, &data) == 3 && is_among(places, target))
            places->registrations[places->registration_count++]
                = (struct registration){ .epoll = epoll, .fd = target, .event = { .events = events, .data.u64 = data } };
    }

    if (file != NULL)
        fclose(file);
}

static void find_places(int fd, struct places *places)
{
    uint64_t handle = tw_handle(fd);
    struct dirent *entry;
    DIR *directory = opendir("/proc/self/fd");
    places->copy_count = places->registration_count = 0;
    places->copies[places->copy_count++] = fd;
    while (directory != NULL && places->copy_count < MAX_COPIES && (entry = readdir(directory)) != NULL) {
        int other = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && other != fd && tw_handle(other) == handle)
            places->copies[places->copy_count++] = other;
    }

    if (directory != NULL)
        rewinddir(directory);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[300], target[32];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof target);
        static const char epoll[] = "anon_inode:[eventpoll]";
        if (length == sizeof epoll - 1 && memcmp(target, epoll, sizeof epoll - 1) == 0)
            find_in(atoi(entry->d_name), places);
    }

    if (directory != NULL)
        closedir(directory);
}

/* Puts the host's socket under every number of the old one. 0 or an errno. */
static int take_places(int fd, int host)
{
    struct places places;
    int error = 0;
    find_places(fd, &places);
    for (int i = 0; i < places.registration_count; i++)
        epoll_ctl(places.registrations[i].epoll, EPOLL_CTL_DEL, places.registrations[i].fd, NULL);
    for (int i = 0; i < places.copy_count && error == 0; i++) {
        int flags = fcntl(places.copies[i], F_GETFD);
        if (RAW(dup3, host, places.copies[i], flags >= 0 && (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) < 0)
            error = errno;
        else
            tw_note(places.copies[i], TW_FOREIGN);
    }

    for (int i = 0; i < places.registration_count; i++)
        epoll_ctl(places.registrations[i].epoll, EPOLL_CTL_ADD, places.registrations[i].fd, &places.registrations[i].event);
    return error;
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
    int domain = AF_INET, protocol = 0, type = tw_is_stream(kind) ? SOCK_STREAM : SOCK_DGRAM;
    socklen_t length = sizeof domain;
    int error = tw_get_option(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
    if (error == 0)
        error = tw_get_option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
    if (error != 0)
        return error;

    int host = (int)RAW(socket, domain, type | SOCK_CLOEXEC, protocol);
    if (host < 0)
        return errno;
    copy_options(fd, host, type);
    error = copy_binding(fd, host);
    if (error == 0) {
        copy_status(fd, host);
        error = take_places(fd, host);
    }

    RAW(close, host);
    return error;
}
