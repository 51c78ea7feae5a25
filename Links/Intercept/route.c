/* Decides which destinations are in Tapwire's network. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A prefix of an IPv6 address, or of a mapped IPv4 address. */
struct prefix {
    uint8_t address[16];
    unsigned length;
};

#define MAX_ROUTES 256
static struct prefix routes[MAX_ROUTES];
static unsigned route_count;

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool has_host_bits(const struct prefix *prefix)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = prefix->length <= 8 * i ? 0 : prefix->length - 8 * i;
        if (kept < 8 && (prefix->address[i] & (0xff >> kept)) != 0)
            return true;
    }

    return false;
}

static bool parse_prefix(char *text, struct prefix *prefix)
{
    char *slash = strchr(text, '/');
    char *end = NULL;
    if (slash != NULL)
        *slash = 0;
    bool is_v4 = inet_pton(AF_INET, text, prefix->address + 12) == 1;
    if (is_v4)
        memcpy(prefix->address, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, text, prefix->address) != 1)
        return false;

    unsigned longest = is_v4 ? 32 : 128;
    unsigned long length = slash == NULL ? longest : strtoul(slash + 1, &end, 10);
    prefix->length = (unsigned)length + (is_v4 ? 96 : 0);
    return length <= longest && (slash == NULL || (slash[1] >= '0' && slash[1] <= '9' && *end == 0)) && !has_host_bits(prefix);
}

void tw_read_routes(void)
{
    const char *text = secure_getenv("TAPWIRE_ROUTES");
    if (text == NULL || *text == 0)
        return;

    char entry[64];
    for (const char *at = text; *at != 0;) {
        size_t length = strcspn(at, ",");
        if (length < sizeof entry) {
            memcpy(entry, at, length);
            entry[length] = 0;
        }

        if (length >= sizeof entry || route_count == MAX_ROUTES || !parse_prefix(entry, &routes[route_count])) {
            /* Going on would send packets to a network that the user has not meant. */
            fprintf(stderr, "libtapwire: TAPWIRE_ROUTES is \"%s\"; it must be up to %d networks as in 10.99.0.0/24,fd00::/8, without bits beyond the length.\n", text, MAX_ROUTES);
            _exit(127);
        }

        route_count++;
        at += length;
        if (*at == ',')
            at++;
    }
}

bool tw_has_routes(void) { return route_count > 0; }

static bool contains(const struct prefix *prefix, const uint8_t *address)
{
    unsigned whole = prefix->length / 8, rest = prefix->length % 8;
    return memcmp(prefix->address, address, whole) == 0
        && (rest == 0 || ((prefix->address[whole] ^ address[whole]) & (0xff00 >> rest & 0xff)) == 0);
}

/* The 16 bytes of an IPv6 address, or of a mapped IPv4 address. False for other families. */
static bool bytes_of(const struct sockaddr *address, uint8_t *bytes)
{
    if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    else if (address->sa_family == AF_INET) {
        memcpy(bytes, mapped, sizeof mapped);
        memcpy(bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else
        return false;
    return true;
}

static bool is_v4(const uint8_t *bytes) { return memcmp(bytes, mapped, sizeof mapped) == 0; }

static bool is_wildcard(const uint8_t *bytes)
{
    static const uint8_t zero[16];
    return memcmp(bytes, zero, 16) == 0 || (is_v4(bytes) && memcmp(bytes + 12, zero, 4) == 0);
}

bool tw_goes_by_tapwire(const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (!bytes_of(address, bytes))
        return true; /* the driver answers with the right error */
    /* Linux takes the wildcard as a destination for the loopback address. */
    if (is_wildcard(bytes)) {
        static const uint8_t v4[] = { 127, 0, 0, 1 };
        if (is_v4(bytes))
            memcpy(bytes + 12, v4, sizeof v4);
        else
            memcpy(bytes, &in6addr_loopback, sizeof in6addr_loopback);
    }

    for (unsigned i = 0; i < route_count; i++)
        if (contains(&routes[i], bytes))
            return true;

    bool is_loopback = (is_v4(bytes) ? bytes[12] == 127 : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)bytes));
    return route_count == 0 && !is_loopback;
}

bool tw_binds_tapwire(const struct sockaddr *address)
{
    uint8_t bytes[16];
    return !bytes_of(address, bytes) || is_wildcard(bytes) || tw_goes_by_tapwire(address);
}
