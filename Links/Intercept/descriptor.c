/* Remembers which descriptors are Tapwire's. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <unistd.h>

/* At least the size of a page, for the page that fork empties: a longer mapping than is needed takes no memory. */
#define PAGE 65536ul

/*
 * The kind of each descriptor, so that calls that move data need not ask anybody. The table is a cache: a stream that is missing is found by its cookie when a call
 * needs to know. Pages that are never touched take no memory.
 */
#define NOTED (1 << 20)
static _Atomic uint8_t notes[NOTED];

/* The low bits of the cookie of the socket that a note is about; 0 if nobody has looked. They prove the note where a descriptor may have been closed unseen: by the
   kernel for io_uring, or by a system call that a program makes without libc. */
static _Atomic uint32_t cookies[NOTED];

enum tw_kind tw_known(int fd) { return fd >= 0 && fd < NOTED ? (enum tw_kind)notes[fd] : TW_UNKNOWN; }

/*
 * Whose memory this is. The page is empty after every fork, by whatever call it was made (MADV_WIPEONFORK), so that a child with memory of its own is told from a
 * child of vfork, which shares its parent's memory and has descriptors of its own: a descriptor that it closes stays open in the parent.
 */
static _Atomic pid_t *owner;
static _Atomic pid_t unwiped;

void tw_begin_process(void)
{
    if (owner == NULL) {
        long page = RAW(mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool wipes = page != -1 && RAW(madvise, page, PAGE, MADV_WIPEONFORK) == 0;
        owner = wipes ? (_Atomic pid_t *)page : &unwiped;
        if (page != -1 && !wipes)
            RAW(munmap, page, PAGE);
    }

    *owner = getpid();
}

bool tw_survives_clone(void) { return owner != &unwiped; }

bool tw_is_own_memory(void)
{
    pid_t known = owner == NULL ? 0 : *owner, self = getpid();
    if (known == 0)
        tw_begin_child();
    /* A process that was made with both memory and descriptors of its maker (CLONE_VM | CLONE_FILES) is like a thread. */
    return known == 0 || known == self || RAW(kcmp, known, self, KCMP_FILES, 0, 0) == 0;
}

void tw_note(int fd, enum tw_kind kind)
{
    /* Compared first: where nothing changes, the page stays untouched and the call is saved. */
    if (fd >= 0 && fd < NOTED && notes[fd] != kind && tw_is_own_memory())
        notes[fd] = kind;
}

void tw_note_socket(int fd, enum tw_kind kind, uint64_t cookie)
{
    if (fd < 0 || fd >= NOTED || !tw_is_own_memory())
        return;
    cookies[fd] = (uint32_t)cookie;
    notes[fd] = kind;
}

void tw_note_copy(int fd, int copy)
{
    enum tw_kind kind = tw_known(fd);
    if (copy < 0 || copy == fd)
        return;
    if (tw_is_ours(kind)) {
        tw_note_socket(copy, kind, cookies[fd]);
        tw_copy_told(fd, copy);
    } else
        tw_note(copy, kind);
}

static bool host_option(int fd, int name, int *value)
{
    socklen_t length = sizeof *value;
    int before = errno;
    bool is_socket = RAW(getsockopt, fd, SOL_SOCKET, name, value, &length) == 0;
    errno = before;
    return is_socket;
}

/* Whether the note is about the socket that the descriptor is now. */
static bool is_proved(int fd, enum tw_kind kind)
{
    int before = errno;
    uint64_t cookie = tw_handle(fd);
    errno = before;
    if (cookie != 0 && cookies[fd] == 0)
        cookies[fd] = (uint32_t)cookie;
    bool is_it = cookie != 0 && cookies[fd] == (uint32_t)cookie;
    if (!is_it && notes[fd] == kind)
        tw_note(fd, TW_UNKNOWN);
    return is_it;
}

static enum tw_kind look_up(int fd)
{
    int domain, type, listens, value;
    socklen_t length = sizeof value;
    if (!host_option(fd, SO_DOMAIN, &domain))
        return TW_UNKNOWN;
    if (domain != AF_UNIX || !host_option(fd, SO_TYPE, &type) || (type != SOCK_STREAM && type != SOCK_SEQPACKET)
        || !host_option(fd, SO_ACCEPTCONN, &listens) || listens) {
        tw_note(fd, TW_FOREIGN);
        return TW_FOREIGN;
    }

    int error = tw_get_option(fd, SOL_SOCKET, SO_TYPE, &value, &length);
    if (error != 0 && error != EBADF)
        return TW_UNKNOWN; /* the driver cannot be asked */
    enum tw_kind kind = error != 0 ? TW_FOREIGN : type == SOCK_STREAM ? TW_STREAM : TW_DATAGRAM;
    tw_note_socket(fd, kind, tw_handle(fd));
    return kind;
}

enum tw_kind tw_kind(int fd)
{
    enum tw_kind kind = tw_known(fd);
    return kind == TW_FOREIGN || (tw_is_ours(kind) && is_proved(fd, kind)) ? kind : look_up(fd);
}

void tw_look(int fd)
{
    int domain, type;
    tw_note(fd, TW_UNKNOWN);
    if (host_option(fd, SO_DOMAIN, &domain) && domain == AF_UNIX && host_option(fd, SO_TYPE, &type) && type == SOCK_SEQPACKET)
        tw_kind(fd);
}
