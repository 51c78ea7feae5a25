/* Converts addresses between the application's layout and the link's. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <errno.h>
#include <string.h>

/* The kernel takes an IPv6 address without its scope (RFC 2133). */
#define LEAST_V6 offsetof(struct sockaddr_in6, sin6_scope_id)

int tw_address_in(const struct sockaddr *address, socklen_t length, struct tw_address *result)
{
    memset(result, 0, sizeof *result);
    if (length < sizeof(sa_family_t) || length > sizeof(struct sockaddr_storage)) /* a negative length is a large one here */
        return EINVAL;
    if (!tw_can_read(address, length))
        return EFAULT;
    switch (address->sa_family) {
    case AF_INET:
        if (length < sizeof(struct sockaddr_in))
            return EINVAL;
        memcpy(result->bytes, address, offsetof(struct sockaddr_in, sin_zero));
        return 0;
    case AF_INET6:
        if (length < LEAST_V6)
            return EINVAL;
        memcpy(result->bytes, address, length < sizeof(struct sockaddr_in6) ? LEAST_V6 : sizeof(struct sockaddr_in6));
        memset(result->bytes + offsetof(struct sockaddr_in6, sin6_flowinfo), 0, sizeof(uint32_t));
        return 0;
    case AF_UNSPEC:
        return 0;
    default:
        return EAFNOSUPPORT;
    }
}

void tw_name_loopback(struct tw_address *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address->bytes;
    if (v4->sin_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (v4->sin_family == AF_INET6 && memcmp(address->bytes + 8, &in6addr_any, sizeof in6addr_any) == 0)
        memcpy(address->bytes + 8, &in6addr_loopback, sizeof in6addr_loopback);
}

socklen_t tw_address_out(const struct tw_address *address, struct sockaddr *result, socklen_t room)
{
    sa_family_t family;
    memcpy(&family, address->bytes, sizeof family);
    socklen_t length = family == AF_INET ? sizeof(struct sockaddr_in) : family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
    if (result != NULL)
        memcpy(result, address->bytes, room < length ? room : length);
    return length;
}
