/* Decides whether the listener at the link's path is to be trusted: not if anybody could have put it there. LinkTrust.cs has the same rules, with the reasons. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* overflowuid: the id that the kernel shows for all users without a counterpart in this user namespace. */
#define UNMAPPED 65534u

#define MOST_LINKS 40

struct walk {
    char directory[1024]; /* the part that is resolved, without symbolic links and final slash; "" is the root */
    char rest[1024];      /* the part still to be resolved, from there */
    uid_t peer;
};

static bool is_self(uid_t user)
{
    return (user == geteuid() || user == getuid()) && (user != UNMAPPED || tw_user_namespace() == 0);
}

/* Where everybody may make files, the peer may own a file only because he was the first to make it. */
static bool is_trusted(const struct walk *walk, uid_t user, bool is_shared)
{
    return user == 0 || is_self(user) || (user == walk->peer && !is_shared);
}

/* Checks a directory on the path. False if others can replace what is in it. */
static bool look_at_directory(const struct walk *walk, bool *is_shared)
{
    struct stat status;
    if (lstat(*walk->directory == 0 ? "/" : walk->directory, &status) != 0 || !S_ISDIR(status.st_mode))
        return false;
    *is_shared = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    return !*is_shared || (status.st_mode & S_ISVTX) != 0;
}

static bool append(char *text, size_t room, const char *more, size_t length)
{
    size_t before = strlen(text);
    if (before + 1 + length >= room)
        return false;
    text[before] = '/';
    memcpy(text + before + 1, more, length);
    text[before + 1 + length] = 0;
    return true;
}

/* Replaces a symbolic link by its target. */
static bool follow(struct walk *walk, const char *link)
{
    char target[sizeof walk->rest];
    long length = RAW(readlinkat, AT_FDCWD, link, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = 0;
    if (*target == '/')
        *walk->directory = 0;
    if (*walk->rest != 0 && !append(target, sizeof target, walk->rest, strlen(walk->rest)))
        return false;
    memcpy(walk->rest, target, strlen(target) + 1);
    return true;
}

/* Resolves the next name. False if anybody may have made the file that it names. */
static bool step(struct walk *walk, const char *name, size_t length, int *links)
{
    struct stat status;
    bool is_shared;
    char entry[sizeof walk->directory];
    if (length == 0 || (length == 1 && *name == '.'))
        return true;
    if (length == 2 && memcmp(name, "..", 2) == 0) {
        char *slash = strrchr(walk->directory, '/');
        if (slash != NULL)
            *slash = 0;
        return true;
    }

    memcpy(entry, walk->directory, strlen(walk->directory) + 1);
    if (!look_at_directory(walk, &is_shared) || !append(entry, sizeof entry, name, length) || lstat(entry, &status) != 0
        || !is_trusted(walk, status.st_uid, is_shared))
        return false;
    if (S_ISLNK(status.st_mode))
        return ++*links <= MOST_LINKS && follow(walk, entry);
    memcpy(walk->directory, entry, strlen(entry) + 1);
    return S_ISDIR(status.st_mode) || *walk->rest == 0;
}

static bool is_his_place(const char *path, uid_t peer)
{
    struct walk walk = { .directory = "", .peer = peer };
    int links = 0;
    if (*path != '/' && RAW(getcwd, walk.rest, sizeof walk.rest) < 0)
        return false;
    if (!append(walk.rest, sizeof walk.rest, path, strlen(path)))
        return false;
    while (*walk.rest != 0) {
        char name[256];
        const char *start = walk.rest + strspn(walk.rest, "/");
        size_t length = strcspn(start, "/");
        if (length >= sizeof name)
            return false;
        memcpy(name, start, length);
        start += length;
        memmove(walk.rest, start, strlen(start) + 1);
        if (!step(&walk, name, length, &links))
            return false;
    }

    return true;
}

bool tw_trusts_driver(int fd, const char *path)
{
    struct ucred peer = { .uid = UNMAPPED };
    socklen_t length = sizeof peer;
    int before = errno;
    bool trusts = RAW(getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0
        && (peer.uid == 0 || is_self(peer.uid) || is_his_place(path, peer.uid));
    errno = before;
    return trusts;
}
