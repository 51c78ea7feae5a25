/* What the parts of libtapwire.so share. docs/link-protocol.md describes the link that they speak. */
#ifndef TAPWIRE_H
#define TAPWIRE_H

#include <dlfcn.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define EXPORT __attribute__((visibility("default")))

/* libc's function of that name, or that of the next library. It is looked up once: in the library's constructor, or by a call that comes before it. */
#define REAL(name) ((__typeof__(&name))tw_next(&tw_next_##name, #name))
#define DEFINE_REAL(name) static _Atomic(void *) tw_next_##name;

static inline void *tw_next(_Atomic(void *) *known, const char *name)
{
    void *function = *known;
    if (function == NULL)
        *known = function = dlsym(RTLD_NEXT, name);
    return function;
}

/* ---- descriptor.c: which descriptors are Tapwire's ---- */

enum tw_kind {
    /* Not looked at yet, or not a socket. */
    TW_UNKNOWN,
    /* A socket of somebody else's. */
    TW_FOREIGN,
    /* A stream that no connect() has been tried on. */
    TW_STREAM_FRESH,
    /* Any other stream; it may be a listener that this process has inherited. */
    TW_STREAM,
    TW_LISTENER,
    /* A datagram socket that has neither been connected nor sent anything: it can still become a socket of the host's. */
    TW_DATAGRAM_FRESH,
    TW_DATAGRAM,
    /* One that has a peer. */
    TW_DATAGRAM_CONNECTED,
};

/* What is known without asking anybody. Costs no system call. */
enum tw_kind tw_known(int fd);

/* Finds out, by way of the descriptor itself and the driver, where it is not known. Never TW_UNKNOWN for an open socket. */
enum tw_kind tw_kind(int fd);

/* Notes what a descriptor is from now on; TW_UNKNOWN before it is closed. */
void tw_note(int fd, enum tw_kind kind);

/* In the constructor, and in a child of fork: its notes are its own. */
void tw_begin_process(void);

/* Looks at a descriptor that has come from elsewhere (exec, SCM_RIGHTS): a datagram socket must be known before the first byte moves. */
void tw_look(int fd);

static inline bool tw_is_stream(enum tw_kind kind) { return kind == TW_STREAM_FRESH || kind == TW_STREAM || kind == TW_LISTENER; }
static inline bool tw_is_datagram(enum tw_kind kind) { return kind >= TW_DATAGRAM_FRESH; }
static inline bool tw_is_ours(enum tw_kind kind) { return kind >= TW_STREAM_FRESH; }

/* ---- route.c: which destinations are Tapwire's ---- */

/* Reads TAPWIRE_ROUTES. */
void tw_read_routes(void);

/* Whether packets to this address go by Tapwire: all but loopback, or what TAPWIRE_ROUTES names. */
bool tw_goes_by_tapwire(const struct sockaddr *address);

/* As above for a local address: a wildcard is Tapwire's. */
bool tw_binds_tapwire(const struct sockaddr *address);

/* ---- link.c: asking the driver ---- */

/* An address as it crosses the link: sockaddr_in6, or sockaddr_in and zeros. */
struct tw_address {
    uint8_t bytes[28];
};

enum tw_request {
    TW_SOCKET = 1,
    TW_CONNECT = 2,
    TW_BIND = 3,
    TW_LISTEN = 4,
    TW_GET_SOCK_NAME = 5,
    TW_GET_PEER_NAME = 6,
    TW_SHUTDOWN = 7,
    TW_SET_OPTION = 9,
    TW_GET_OPTION = 10,
    TW_SESSION = 11,
};

struct tw_header {
    uint32_t length;
    uint16_t type;
    uint16_t zero;
    uint32_t id;
    int32_t error;
};

/* An answer's body. */
struct tw_answer {
    uint32_t length;
    int descriptor; /* -1, or the caller's */
    uint8_t body[1024];
};

/* Reads TAPWIRE_LINK, or finds the path that the driver of this user has when it is not told otherwise. */
void tw_find_link(void);

/* Sends a request and waits for its answer. 0, or an errno: the driver's, or ENETDOWN if there is none. A signal does not end it. */
int tw_ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer);

/* As above for a request whose answer takes as long as the network does: EINTR if a signal handler has run that does not restart calls, ETIMEDOUT after
   the given milliseconds (-1: never). The driver goes on with it. */
int tw_ask_patiently(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds);

/* Sees to it that children of fork can reach the driver, whoever they run as. */
void tw_watch_forks(void);

/* poll for one descriptor (none if negative): not intercepted, no point of cancellation. */
int tw_poll(int fd, short *events, int milliseconds);

/* The name of a socket in requests. 0 if the descriptor is no socket. */
uint64_t tw_handle(int fd);

/* Requests that consist of a handle, and perhaps a number. */
int tw_ask_number(int fd, enum tw_request type, int number, struct tw_answer *answer);
int tw_get_option(int fd, int level, int name, void *value, socklen_t *length);
int tw_set_option(int fd, int level, int name, const void *value, socklen_t length);

/* ---- address.c ---- */

/* An application's address for the link. 0 or an errno. */
int tw_address_in(const struct sockaddr *address, socklen_t length, struct tw_address *result);

/* The link's address for an application: cut to the room there is, as the kernel does. Bytes of the whole. */
socklen_t tw_address_out(const struct tw_address *address, struct sockaddr *result, socklen_t room);

/* ---- host.c: back to the host's network ---- */

/* Makes the descriptor a socket of the host's, with the flags, options and epoll registrations that it has. 0 or an errno. */
int tw_become_host(int fd, enum tw_kind kind);

/* ---- datagram.c ---- */

ssize_t tw_datagram_send(int fd, const struct msghdr *message, int flags);
ssize_t tw_datagram_receive(int fd, struct msghdr *message, int flags);

/* Bytes of the next datagram, 0 if none is there: FIONREAD. */
int tw_datagram_waiting(int fd);

/* Sets errno and returns -1, or returns 0. */
int tw_result(int error);

#endif
