/*
 * Names, where the driver has name servers for them: getaddrinfo and its like ask it, and libc where it has none. What is no question of names (numbers, services, flags) is
 * libc's in any case.
 */
#define _GNU_SOURCE
#include "tapwire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

DEFINE_REAL(getaddrinfo)
DEFINE_REAL(freeaddrinfo)
DEFINE_REAL(getnameinfo)
DEFINE_REAL(gethostbyname)
DEFINE_REAL(gethostbyname2)
DEFINE_REAL(gethostbyname_r)
DEFINE_REAL(gethostbyname2_r)
DEFINE_REAL(gethostbyaddr)
DEFINE_REAL(gethostbyaddr_r)

/* ResolveRequest.MaxName, and addresses that fit a struct tw_answer beside the longest name. */
#define LONGEST_NAME 255u
#define MOST_ADDRESSES 26u

/* The driver gives up after NameCalls.Patience. */
#define PATIENCE_MS 60000

/* The driver has no server for this name: LinkErrno.NoServer. */
#define NO_SERVER ENONET

/* The driver has taken a question for its servers, so that it has some. */
static atomic_bool has_servers;

/* What the driver has found: ResolveRequest.Found. */
struct found {
    uint32_t count;
    uint32_t length;
    uint8_t rest[1016];
};

_Static_assert(sizeof(struct found) == sizeof((struct tw_answer *)NULL)->body, "a whole answer");
_Static_assert(MOST_ADDRESSES * sizeof(struct tw_address) + LONGEST_NAME <= sizeof((struct found *)NULL)->rest, "room for all addresses");

/* Asks the driver. 0 or an errno; NO_SERVER: whoever else knows is to be asked. */
static int ask(const char *name, int family, bool is_reverse, struct found *found)
{
    struct {
        struct tw_header header;
        uint16_t family;
        uint16_t kind;
        uint16_t length;
        uint16_t most;
        char name[LONGEST_NAME];
    } request = { .family = (uint16_t)family, .kind = is_reverse, .most = MOST_ADDRESSES };
    struct tw_answer answer;
    size_t length = strlen(name);
    int error, before = errno;
    if (length == 0 || length > LONGEST_NAME)
        return EINVAL;
    request.length = (uint16_t)length;
    memcpy(request.name, name, length);
    do
        error = tw_ask_patiently(&request.header, (uint32_t)(offsetof(__typeof__(request), name) + length), TW_RESOLVE, &answer, PATIENCE_MS);
    while (error == EINTR);
    errno = before;

    /* No driver, one of an earlier version, or one that this process may not use. A driver that had servers and is gone leaves nobody to ask: the host's resolver must not learn names
     * that were the network's own. */
    if (error == ENOSYS || error == EACCES || error == ENONET || (error == ENETDOWN && !has_servers))
        return NO_SERVER;
    has_servers = true;
    if (error != 0)
        return error;
    if (answer.length < offsetof(struct found, rest))
        return EREMOTEIO;
    memcpy(found, answer.body, answer.length);
    if (found->count > MOST_ADDRESSES || found->length > LONGEST_NAME
        || answer.length != offsetof(struct found, rest) + found->count * sizeof(struct tw_address) + found->length)
        return EREMOTEIO;
    return 0;
}

static struct tw_address address_at(const struct found *found, uint32_t index)
{
    struct tw_address address;
    memcpy(address.bytes, found->rest + index * sizeof address, sizeof address);
    return address;
}

static int family_of(const struct tw_address *address)
{
    sa_family_t family;
    memcpy(&family, address->bytes, sizeof family);
    return family;
}

static const uint8_t *number_of(const struct tw_address *address) { return address->bytes + (family_of(address) == AF_INET ? 4 : 8); }

/* The name, into at least LONGEST_NAME + 1 bytes. */
static void name_of(const struct found *found, char *name)
{
    memcpy(name, found->rest + found->count * sizeof(struct tw_address), found->length);
    name[found->length] = 0;
}

/* ---- getaddrinfo ---- */

static int eai_of(int error)
{
    switch (error) {
    case ENOENT:
    case EINVAL:
        return EAI_NONAME;
    case ENODATA:
        return EAI_NODATA;
    case ENOMEM:
        return EAI_MEMORY;
    case EAFNOSUPPORT:
        return EAI_FAMILY;
    default:
        return EAI_AGAIN;
    }
}

/* Appends what libc makes of one address: an entry for each type of socket. libc frees such a list entry by entry. 0 or an EAI error. */
static int append(struct addrinfo ***end, const struct tw_address *address, bool is_mapped, const char *service, const struct addrinfo *hints)
{
    struct addrinfo numeric = *hints, *made = NULL;
    char text[INET6_ADDRSTRLEN + 8] = "::ffff:";
    numeric.ai_family = is_mapped ? AF_INET6 : family_of(address);
    numeric.ai_flags = (hints->ai_flags & (AI_PASSIVE | AI_NUMERICSERV)) | AI_NUMERICHOST;
    if (inet_ntop(family_of(address), number_of(address), text + (is_mapped ? 7 : 0), INET6_ADDRSTRLEN) == NULL)
        return EAI_FAIL;
    int error = REAL(getaddrinfo)(text, service, &numeric, &made);
    if (error != 0)
        return error;
    **end = made;
    while (**end != NULL)
        *end = &(**end)->ai_next;
    return 0;
}

/* All addresses of the family. With AF_INET6 those of IPv4 as mapped ones, where hints ask for that. */
static int join(const struct found *found, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    bool wants_v6 = hints->ai_family == AF_INET6, has_v6 = false;
    struct addrinfo **end = result;
    int error = 0;
    *result = NULL;
    for (uint32_t i = 0; i < found->count; i++) {
        struct tw_address address = address_at(found, i);
        has_v6 |= family_of(&address) == AF_INET6;
    }

    bool maps = wants_v6 && (hints->ai_flags & AI_V4MAPPED) != 0 && (!has_v6 || (hints->ai_flags & AI_ALL) != 0);
    /* Asked for IPv6, its own addresses come before mapped ones. */
    for (uint32_t i = 0; i < 2 * found->count && error == 0; i++) {
        bool is_second = i >= found->count;
        struct tw_address address = address_at(found, i % found->count);
        bool is_mapped = wants_v6 && family_of(&address) == AF_INET;
        if (is_mapped == is_second && (maps || !is_mapped))
            error = append(&end, &address, is_mapped, service, hints);
    }

    if (error == 0 && *result == NULL)
        error = EAI_NODATA;
    if (error == 0 && (hints->ai_flags & AI_CANONNAME) != 0) {
        char name[LONGEST_NAME + 1];
        name_of(found, name);
        (*result)->ai_canonname = strdup(name);
        error = (*result)->ai_canonname == NULL ? EAI_MEMORY : 0;
    }

    if (error != 0 && *result != NULL) {
        REAL(freeaddrinfo)(*result);
        *result = NULL;
    }

    return error;
}

/* The family that the driver is asked for. With AI_ADDRCONFIG none that no interface has (RFC 3493, 6.1). 0 is both, -1 none. */
static int asked_family(const struct addrinfo *hints)
{
    bool wants_v4 = hints->ai_family != AF_INET6 || (hints->ai_flags & AI_V4MAPPED) != 0, wants_v6 = hints->ai_family != AF_INET;
    if ((hints->ai_flags & AI_ADDRCONFIG) != 0) {
        wants_v4 = wants_v4 && tw_has_family(AF_INET);
        wants_v6 = wants_v6 && tw_has_family(AF_INET6);
    }

    return wants_v4 && wants_v6 ? AF_UNSPEC : wants_v4 ? AF_INET : wants_v6 ? AF_INET6 : -1;
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    /* What glibc takes for hints that are not given. */
    static const struct addrinfo defaults = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
    const struct addrinfo *wanted = hints != NULL ? hints : &defaults;
    bool is_known_family = wanted->ai_family == AF_UNSPEC || wanted->ai_family == AF_INET || wanted->ai_family == AF_INET6;
    if (node == NULL || !is_known_family || (wanted->ai_flags & (AI_NUMERICHOST | AI_IDN | AI_CANONIDN)) != 0)
        return REAL(getaddrinfo)(node, service, hints, result);

    /* An address, and everything that is wrong beside the name. */
    struct addrinfo numeric = *wanted;
    struct found found;
    numeric.ai_flags |= AI_NUMERICHOST;
    int error = REAL(getaddrinfo)(node, service, &numeric, result);
    if (error != EAI_NONAME)
        return error;
    int family = asked_family(wanted);
    error = family < 0 ? ENODATA : ask(node, family, false, &found);
    if (error == NO_SERVER)
        return REAL(getaddrinfo)(node, service, hints, result);
    return error != 0 ? eai_of(error) : join(&found, service, wanted, result);
}

/* ---- getnameinfo ---- */

EXPORT int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_room, char *service, socklen_t service_room, int flags)
{
    struct tw_address linked;
    struct found found;
    char text[INET6_ADDRSTRLEN], name[LONGEST_NAME + 1];
    bool is_ours = host != NULL && host_room > 0 && (flags & NI_NUMERICHOST) == 0 && address != NULL && length >= sizeof(sa_family_t)
        && (address->sa_family == AF_INET || address->sa_family == AF_INET6) && tw_address_in(address, length, &linked) == 0
        && inet_ntop(family_of(&linked), number_of(&linked), text, sizeof text) != NULL;
    int error = is_ours ? ask(text, AF_UNSPEC, true, &found) : NO_SERVER;
    if (error == NO_SERVER)
        return REAL(getnameinfo)(address, length, host, host_room, service, service_room, flags);
    if (error != 0) {
        /* As in glibc: a number stands for a name that there is not, but not for one that nobody can tell now. */
        int reason = eai_of(error == ENODATA ? ENOENT : error);
        if (reason != EAI_NONAME || (flags & NI_NAMEREQD) != 0)
            return reason;
        return REAL(getnameinfo)(address, length, host, host_room, service, service_room, flags | NI_NUMERICHOST);
    }

    name_of(&found, name);
    if (strlen(name) >= host_room)
        return EAI_OVERFLOW;
    if (service != NULL && service_room > 0) {
        error = REAL(getnameinfo)(address, length, NULL, 0, service, service_room, flags & ~NI_NAMEREQD);
        if (error != 0)
            return error;
    }

    strcpy(host, name);
    return 0;
}

/* ---- gethostbyname, gethostbyaddr ---- */

static int h_errno_of(int error)
{
    switch (error) {
    case ENOENT:
    case EINVAL:
        return HOST_NOT_FOUND;
    case ENODATA:
        return NO_DATA;
    default:
        return TRY_AGAIN;
    }
}

/* Lays out an entry in the caller's buffer: two lists, the addresses, the name. 0 or ERANGE. */
static int lay_out(const struct found *found, int family, const void *one, struct hostent *entry, char *buffer, size_t room, struct hostent **result)
{
    size_t size = family == AF_INET ? 4 : 16, count = one != NULL ? 1 : found->count, before = -(uintptr_t)buffer % sizeof(char *);
    size_t needed = before + (count + 2) * sizeof(char *) + count * size + found->length + 1;
    if (room < needed)
        return ERANGE;
    char **aliases = (char **)(void *)(buffer + before), **addresses = aliases + 1, *at = (char *)(addresses + count + 1);
    *aliases = NULL;
    for (size_t i = 0; i < count; i++, at += size) {
        struct tw_address address = one != NULL ? (struct tw_address){ { 0 } } : address_at(found, (uint32_t)i);
        memcpy(at, one != NULL ? one : number_of(&address), size);
        addresses[i] = at;
    }

    addresses[count] = NULL;
    name_of(found, at);
    *entry = (struct hostent){ .h_name = at, .h_aliases = aliases, .h_addrtype = family, .h_length = (int)size, .h_addr_list = addresses };
    *result = entry;
    return 0;
}

/* Whether libc takes it for a number, which is its own name. */
static bool is_number(const char *name)
{
    struct in_addr v4;
    struct in6_addr v6;
    return inet_aton(name, &v4) != 0 || inet_pton(AF_INET6, name, &v6) == 1;
}

/* As gethostbyname2_r. NO_SERVER: libc is to be asked. */
static int find_host(const char *name, int family, struct hostent *entry, char *buffer, size_t room, struct hostent **result, int *reason)
{
    struct found found;
    *result = NULL;
    if (name == NULL || (family != AF_INET && family != AF_INET6) || is_number(name))
        return NO_SERVER;
    int error = ask(name, family, false, &found);
    if (error == NO_SERVER)
        return error;
    if (error == 0 && found.count == 0)
        error = ENODATA;
    *reason = error != 0 ? h_errno_of(error) : NETDB_SUCCESS;
    if (error != 0)
        return *reason == TRY_AGAIN ? EAGAIN : 0;
    error = lay_out(&found, family, NULL, entry, buffer, room, result);
    if (error != 0)
        *reason = NETDB_INTERNAL;
    return error;
}

static int find_name(const void *address, socklen_t length, int family, struct hostent *entry, char *buffer, size_t room, struct hostent **result, int *reason)
{
    struct found found;
    char text[INET6_ADDRSTRLEN];
    *result = NULL;
    if (address == NULL || length != (family == AF_INET ? 4 : 16) || inet_ntop(family, address, text, sizeof text) == NULL)
        return NO_SERVER;
    int error = ask(text, AF_UNSPEC, true, &found);
    if (error == NO_SERVER)
        return error;
    *reason = error != 0 ? h_errno_of(error == ENODATA ? ENOENT : error) : NETDB_SUCCESS;
    if (error != 0)
        return *reason == TRY_AGAIN ? EAGAIN : 0;
    error = lay_out(&found, family, address, entry, buffer, room, result);
    if (error != 0)
        *reason = NETDB_INTERNAL;
    return error;
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t room, struct hostent **result, int *reason)
{
    int error = find_host(name, family, entry, buffer, room, result, reason);
    return error == NO_SERVER ? REAL(gethostbyname2_r)(name, family, entry, buffer, room, result, reason) : error;
}

EXPORT int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t room, struct hostent **result, int *reason)
{
    int error = find_host(name, AF_INET, entry, buffer, room, result, reason);
    return error == NO_SERVER ? REAL(gethostbyname_r)(name, entry, buffer, room, result, reason) : error;
}

EXPORT int gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *entry, char *buffer, size_t room, struct hostent **result, int *reason)
{
    int error = find_name(address, length, family, entry, buffer, room, result, reason);
    return error == NO_SERVER ? REAL(gethostbyaddr_r)(address, length, family, entry, buffer, room, result, reason) : error;
}

/* What those give that have no buffer of the caller's: one for each thread, which libc's callers may not count on. Pointers of all addresses and the longest name fit. */
static _Thread_local struct {
    struct hostent entry;
    char buffer[1536];
} last;

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
    struct hostent *result;
    int reason = NETDB_INTERNAL;
    if (find_host(name, family, &last.entry, last.buffer, sizeof last.buffer, &result, &reason) == NO_SERVER)
        return REAL(gethostbyname2)(name, family);
    h_errno = reason;
    return result;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
    struct hostent *result;
    int reason = NETDB_INTERNAL;
    if (find_host(name, AF_INET, &last.entry, last.buffer, sizeof last.buffer, &result, &reason) == NO_SERVER)
        return REAL(gethostbyname)(name);
    h_errno = reason;
    return result;
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    struct hostent *result;
    int reason = NETDB_INTERNAL;
    if (find_name(address, length, family, &last.entry, last.buffer, sizeof last.buffer, &result, &reason) == NO_SERVER)
        return REAL(gethostbyaddr)(address, length, family);
    h_errno = reason;
    return result;
}
