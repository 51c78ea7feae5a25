/* Finds the driver's path as the driver does. */
#define _GNU_SOURCE
#include "control.h"
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The link path of a driver that runs as the system's service. */
#define SYSTEM_LINK "/run/tapwire/link.sock"

/* PROC_USER_INIT_INO */
#define INITIAL_NAMESPACE 0xEFFFFFFDul

struct sockaddr_un tw_link_address = { .sun_family = AF_UNIX };

/* Reads a file below /proc as text. Empty if it cannot be read. */
static void read_text(const char *file, char *text, size_t room)
{
    int fd = (int)RAW(openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    ssize_t length = fd < 0 ? 0 : RAW(read, fd, text, room - 1);
    text[length < 0 ? 0 : length] = 0;
    if (fd >= 0)
        RAW(close, fd);
}

/* The user's id outside this user namespace, since inside everybody may be 0. A line of the map has the first id inside, the first id outside, and the count. */
static unsigned real_user(unsigned user)
{
    char map[4096];
    unsigned inside, outside, count;
    int length;
    read_text("/proc/self/uid_map", map, sizeof map);
    for (const char *line = map; sscanf(line, "%u %u %u%n", &inside, &outside, &count, &length) == 3; line += length) {
        if (user >= inside && user - inside < count)
            return outside + (user - inside);
    }

    return user;
}

unsigned long tw_user_namespace(void)
{
    char name[64];
    unsigned long inode;
    long length = RAW(readlinkat, AT_FDCWD, "/proc/self/ns/user", name, sizeof name - 1);
    name[length < 0 ? 0 : length] = 0;
    return sscanf(name, "user:[%lu]", &inode) == 1 && inode != INITIAL_NAMESPACE ? inode : 0;
}

static bool is_directory_of(const char *path, uid_t user)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == user;
}

/* A path that may not be looked at counts as a socket: connecting will tell. */
static bool may_be_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 || errno == EACCES;
}

/* The directory belongs neither to this user nor to root, so that no driver of theirs listens in it. */
static bool is_in_strange_directory(const char *path, uid_t user)
{
    struct stat status;
    char directory[sizeof tw_link_address.sun_path];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof directory)
        return false;
    memcpy(directory, path, length);
    directory[length] = 0;
    return lstat(directory, &status) == 0 && status.st_uid != user && status.st_uid != 0;
}

/* LinkEndpointPath.cs has the same rules, with the reasons. */
static int find_default(char *place, size_t room)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    uid_t user = geteuid();
    unsigned real = real_user(user);
    unsigned long space = tw_user_namespace();
    if (user == 0 && is_directory_of("/run", 0) && (space == 0 || real != 0))
        return snprintf(place, room, SYSTEM_LINK);
    int length = snprintf(place, room, "/run/user/%u", real);
    if (runtime != NULL && *runtime == '/' && is_directory_of(runtime, user))
        length = snprintf(place, room, "%s/tapwire.sock", runtime);
    else if (is_directory_of(place, user))
        length += snprintf(place + length, room - (size_t)length, "/tapwire.sock");
    else if (space == 0)
        length = snprintf(place, room, "/tmp/tapwire-%u/link.sock", real);
    else
        length = snprintf(place, room, "/tmp/tapwire-%u-%lu/link.sock", real, space);
    if (length > 0 && (size_t)length < room && (!may_be_there(place) || is_in_strange_directory(place, user)) && may_be_there(SYSTEM_LINK))
        length = snprintf(place, room, SYSTEM_LINK);
    return length;
}

void tw_find_link(void)
{
    const char *path = secure_getenv("TAPWIRE_LINK");
    char *place = tw_link_address.sun_path;
    size_t room = sizeof tw_link_address.sun_path;
    int before = errno;
    int length = path != NULL && *path != 0 ? snprintf(place, room, "%s", path) : find_default(place, room);
    if (length < 0 || (size_t)length >= room)
        *place = 0;
    errno = before;
}
