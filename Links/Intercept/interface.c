/* The interfaces and addresses that programs find: those of the driver, and loopback. With TAPWIRE_ROUTES the host's are there, too, because the host's network is. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DEFINE_REAL(getifaddrs)
DEFINE_REAL(freeifaddrs)
DEFINE_REAL(if_nameindex)
DEFINE_REAL(if_freenameindex)
DEFINE_REAL(if_nametoindex)
DEFINE_REAL(if_indextoname)

#define LOOPBACK_INDEX 1u
#define LOOPBACK_MTU 65536u
#define QUEUE_LENGTH 1000

/* An interface, or one of its addresses, as the driver names it: LinkInterface.cs. */
struct entry {
    uint32_t index;
    uint32_t flags;
    uint32_t mtu;
    uint16_t hardware_type;
    uint8_t hardware[6];
    char name[IFNAMSIZ];
    struct tw_address address; /* AF_UNSPEC: the interface itself */
    uint32_t prefix;
    uint32_t zero;
};

struct page {
    uint32_t total;
    uint32_t zero;
    struct entry entries[];
};

_Static_assert(sizeof(struct entry) == 72, "LinkInterface.Size");

/* More than any driver has: a driver that says otherwise is not believed. */
#define MOST_ENTRIES 65536u

struct list {
    struct entry *entries;
    size_t count;
};

static sa_family_t family_of(const struct tw_address *address)
{
    sa_family_t family;
    memcpy(&family, address->bytes, sizeof family);
    return family;
}

static struct entry loopback(int family)
{
    struct entry entry = {
        .index = LOOPBACK_INDEX, .flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING, .mtu = LOOPBACK_MTU, .hardware_type = ARPHRD_LOOPBACK, .name = "lo",
    };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    if (family == AF_INET)
        memcpy(entry.address.bytes, &v4, sizeof v4), entry.prefix = 8;
    else if (family == AF_INET6)
        memcpy(entry.address.bytes, &v6, sizeof v6), entry.prefix = 128;
    return entry;
}

/* Adds a page of the driver's answer. 0 or an errno. */
static int add_page(struct list *list, size_t before)
{
    struct {
        struct tw_header header;
        uint32_t from;
        uint32_t zero;
    } request = { .from = (uint32_t)(list->count - before) };
    struct tw_answer answer;
    int error = tw_ask(&request.header, sizeof request, TW_LIST_INTERFACES, &answer);
    if (error != 0)
        return error;
    const struct page *page = (const struct page *)answer.body;
    size_t count = answer.length < sizeof *page ? 0 : (answer.length - sizeof *page) / sizeof(struct entry);
    if (answer.length < sizeof *page || page->total > MOST_ENTRIES)
        return EPROTO;
    struct entry *larger = realloc(list->entries, (list->count + count + 1) * sizeof *larger);
    if (larger == NULL)
        return ENOMEM;
    memcpy(larger + list->count, page->entries, count * sizeof *larger);
    list->entries = larger;
    list->count += count;
    return count > 0 && list->count - before < page->total ? EAGAIN : 0;
}

/* All entries, those of loopback first unless the host's is listed beside. The caller frees them. 0 or an errno. */
static int find_all(struct list *list)
{
    int error;
    *list = (struct list){ .entries = malloc(3 * sizeof(struct entry)) };
    if (list->entries == NULL)
        return ENOMEM;
    if (!tw_has_routes()) {
        static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
        for (; list->count < 3; list->count++)
            list->entries[list->count] = loopback(families[list->count]);
    }

    size_t before = list->count;
    do
        error = add_page(list, before);
    while (error == EAGAIN);
    if (error != 0)
        free(list->entries);
    return error;
}

/* The entry of an interface, or its first IPv4 address. NULL: there is none. */
static const struct entry *find(const struct list *list, const char *name, uint32_t index, int family)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct entry *entry = &list->entries[i];
        bool is_it = name != NULL ? strncmp(entry->name, name, IFNAMSIZ) == 0 : entry->index == index;
        if (is_it && family_of(&entry->address) == family)
            return entry;
    }

    return NULL;
}

bool tw_has_interface(uint32_t index, const struct in_addr *address)
{
    struct list list;
    bool is_there = false;
    if (find_all(&list) != 0)
        return true;
    for (size_t i = 0; i < list.count && !is_there; i++) {
        const struct entry *entry = &list.entries[i];
        bool has_address = family_of(&entry->address) == AF_INET && memcmp(entry->address.bytes + 4, address, sizeof *address) == 0;
        is_there = (index == 0 || entry->index == index) && (address->s_addr == INADDR_ANY || has_address);
    }

    free(list.entries);
    return is_there;
}

/* Those that were found last: a server that answers from the address that it was asked at says one with each datagram. */
#define KNOWN_SOURCES 4
static __thread uint8_t known_sources[KNOWN_SOURCES][16] __attribute__((tls_model("initial-exec")));
static __thread unsigned next_known __attribute__((tls_model("initial-exec")));

bool tw_is_source(const uint8_t *address)
{
    static const uint8_t any[16], loopback_v4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
    if (tw_has_routes() || memcmp(address, any, sizeof any) == 0 || memcmp(address, loopback_v4, sizeof loopback_v4) == 0)
        return true;
    for (unsigned i = 0; i < KNOWN_SOURCES; i++)
        if (memcmp(known_sources[i], address, sizeof known_sources[i]) == 0)
            return true;
    struct list list;
    if (find_all(&list) != 0)
        return true;
    bool is_v4 = memcmp(address, loopback_v4, 12) == 0, is_own = false;
    for (size_t i = 0; i < list.count && !is_own; i++) {
        const struct tw_address *own = &list.entries[i].address;
        is_own = is_v4 ? family_of(own) == AF_INET && memcmp(own->bytes + offsetof(struct sockaddr_in, sin_addr), address + 12, 4) == 0
                       : family_of(own) == AF_INET6 && memcmp(own->bytes + offsetof(struct sockaddr_in6, sin6_addr), address, 16) == 0;
    }

    free(list.entries);
    if (is_own)
        memcpy(known_sources[next_known++ % KNOWN_SOURCES], address, 16);
    return is_own;
}

bool tw_has_family(int family)
{
    struct list list;
    bool is_there = false;
    if (tw_has_routes() || find_all(&list) != 0)
        return true;
    for (size_t i = 0; i < list.count && !is_there; i++)
        is_there = list.entries[i].index != LOOPBACK_INDEX && family_of(&list.entries[i].address) == family;
    free(list.entries);
    return is_there;
}

/* The network mask, or the broadcast address, of an entry's address. */
static void put_mask(const struct entry *entry, struct sockaddr_storage *result, bool is_broadcast)
{
    memset(result, 0, sizeof *result);
    result->ss_family = family_of(&entry->address);
    bool is_v4 = result->ss_family == AF_INET;
    size_t at = is_v4 ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr);
    uint8_t *bytes = (uint8_t *)result + at;
    for (unsigned bit = 0; bit < (is_v4 ? 32u : 128u); bit++) {
        bool is_set = is_broadcast ? bit >= entry->prefix || (entry->address.bytes[at + bit / 8] >> (7 - bit % 8) & 1) != 0 : bit < entry->prefix;
        bytes[bit / 8] |= (uint8_t)(is_set << (7 - bit % 8));
    }
}

static bool has_broadcast(const struct entry *entry)
{
    return (entry->flags & IFF_BROADCAST) != 0 && family_of(&entry->address) == AF_INET && entry->prefix < 31;
}

/* ---- ioctl ---- */

/* An ioctl of the host's, on a socket of its own. */
static int ask_host(unsigned long request, void *argument)
{
    int fd = (int)RAW(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int result = (int)RAW(ioctl, fd, request, argument);
    int error = errno;
    RAW(close, fd);
    errno = error;
    return result;
}

/* Answers about one interface. 0 or an errno. */
static int answer_one(unsigned long request, const struct list *list, struct ifreq *asked)
{
    bool by_index = request == SIOCGIFNAME;
    const char *name = by_index ? NULL : asked->ifr_name;
    const struct entry *entry = find(list, name, (uint32_t)asked->ifr_ifindex, AF_UNSPEC), *address;
    struct sockaddr_storage whole;
    if (entry == NULL)
        return ENODEV;
    switch (request) {
    case SIOCGIFNAME:
        memcpy(asked->ifr_name, entry->name, sizeof asked->ifr_name);
        return 0;
    case SIOCGIFINDEX:
        asked->ifr_ifindex = (int)entry->index;
        return 0;
    case SIOCGIFFLAGS:
        asked->ifr_flags = (short)entry->flags;
        return 0;
    case SIOCGIFMTU:
        asked->ifr_mtu = (int)entry->mtu;
        return 0;
    case SIOCGIFMETRIC:
        asked->ifr_metric = 0;
        return 0;
    case SIOCGIFTXQLEN:
        asked->ifr_qlen = QUEUE_LENGTH;
        return 0;
    case SIOCGIFMAP:
        memset(&asked->ifr_map, 0, sizeof asked->ifr_map);
        return 0;
    case SIOCGIFHWADDR:
        memset(&asked->ifr_hwaddr, 0, sizeof asked->ifr_hwaddr);
        asked->ifr_hwaddr.sa_family = entry->hardware_type;
        memcpy(asked->ifr_hwaddr.sa_data, entry->hardware, sizeof entry->hardware);
        return 0;
    default:
        break;
    }

    address = find(list, asked->ifr_name, 0, AF_INET);
    if (address == NULL)
        return EADDRNOTAVAIL;
    memset(&whole, 0, sizeof whole);
    if (request == SIOCGIFNETMASK || (request == SIOCGIFBRDADDR && has_broadcast(address)))
        put_mask(address, &whole, request == SIOCGIFBRDADDR);
    else if (request == SIOCGIFBRDADDR)
        whole.ss_family = AF_INET;
    else
        memcpy(&whole, address->address.bytes, sizeof(struct sockaddr_in));
    memcpy(&asked->ifr_addr, &whole, sizeof asked->ifr_addr);
    return 0;
}

/* SIOCGIFCONF: the IPv4 addresses, as many as there is room for. Without a buffer, the bytes that all of them take. */
static int answer_all(const struct list *list, struct ifconf *asked)
{
    struct ifconf host = { .ifc_len = asked->ifc_len > 0 ? asked->ifc_len : 0, .ifc_buf = asked->ifc_buf };
    bool counts = asked->ifc_buf == NULL;
    size_t room = host.ifc_len > 0 ? (size_t)host.ifc_len : 0, used = 0;
    if (tw_has_routes()) {
        if (ask_host(SIOCGIFCONF, &host) != 0)
            return errno;
        used = (size_t)host.ifc_len;
    }

    for (size_t i = 0; i < list->count; i++) {
        const struct entry *entry = &list->entries[i];
        struct ifreq one = { .ifr_ifindex = 0 };
        if (family_of(&entry->address) != AF_INET)
            continue;
        if (!counts && room - used < sizeof one)
            break;
        memcpy(one.ifr_name, entry->name, sizeof one.ifr_name);
        memcpy(&one.ifr_addr, entry->address.bytes, sizeof(struct sockaddr_in));
        if (!counts && tw_copy_out(&(struct iovec){ .iov_base = asked->ifc_buf + used, .iov_len = sizeof one }, 1, &one, sizeof one) != sizeof one)
            return EFAULT;
        used += sizeof one;
    }

    asked->ifc_len = (int)used;
    return 0;
}

static int answer(unsigned long request, void *argument, size_t size)
{
    union {
        struct ifreq one;
        struct ifconf all;
    } asked;
    struct iovec vector = { .iov_base = argument, .iov_len = size };
    struct list list;
    if (tw_copy_in(&asked, &vector, 1, size) != size)
        return EFAULT;
    if (request != SIOCGIFCONF && request != SIOCGIFNAME)
        asked.one.ifr_name[IFNAMSIZ - 1] = 0;
    int error = find_all(&list);
    if (error != 0)
        return error;
    error = request == SIOCGIFCONF ? answer_all(&list, &asked.all) : answer_one(request, &list, &asked.one);
    free(list.entries);
    if (error == ENODEV) /* found by netlink, which lists the host's */
        return ask_host(request, argument) == 0 ? 0 : errno;
    return error == 0 && tw_copy_out(&vector, 1, &asked, size) != size ? EFAULT : error;
}

bool tw_interface_ioctl(unsigned long request, void *argument, int *result)
{
    switch (request) {
    case SIOCGIFCONF:
        *result = tw_result(answer(request, argument, sizeof(struct ifconf)));
        return true;
    case SIOCGIFNAME:
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFMETRIC:
    case SIOCGIFMTU:
    case SIOCGIFHWADDR:
    case SIOCGIFTXQLEN:
    case SIOCGIFMAP:
        *result = tw_result(answer(request, argument, sizeof(struct ifreq)));
        return true;
    case SIOCGARP: /* neighbours are the driver's own business */
        *result = tw_result(ENXIO);
        return true;
    case SIOCETHTOOL:
    case SIOCGMIIPHY:
    case SIOCGMIIREG:
        *result = tw_result(EOPNOTSUPP);
        return true;
    case SIOCADDRT:
    case SIOCDELRT:
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFBRDADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFMETRIC:
    case SIOCSIFMTU:
    case SIOCSIFNAME:
    case SIOCSIFHWADDR:
    case SIOCSIFTXQLEN:
    case SIOCSIFMAP:
    case SIOCDIFADDR:
    case SIOCADDMULTI:
    case SIOCDELMULTI:
    case SIOCDARP:
    case SIOCSARP: /* 'tapwire interface' changes them */
        *result = tw_result(EPERM);
        return true;
    default:
        return false;
    }
}

/* ---- getifaddrs ---- */

/* An address of a list, with room for what it points to: all of a list is one allocation. */
struct item {
    struct ifaddrs named;
    char name[IFNAMSIZ];
    struct sockaddr_storage address, mask, other;
    uint8_t data[256];
};

/* struct rtnl_link_stats, which <linux/if_link.h> has: 24 counters. */
#define STATISTICS 96

static void fill_item(struct item *item, const struct entry *entry)
{
    memset(item, 0, sizeof *item);
    memcpy(item->name, entry->name, sizeof item->name);
    item->named.ifa_flags = entry->flags;
    item->named.ifa_addr = (struct sockaddr *)&item->address;
    if (family_of(&entry->address) == AF_UNSPEC) {
        struct sockaddr_ll *link = (struct sockaddr_ll *)&item->address;
        *link = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = (int)entry->index, .sll_hatype = entry->hardware_type };
        if (entry->hardware_type == ARPHRD_ETHER || entry->hardware_type == ARPHRD_LOOPBACK) {
            link->sll_halen = sizeof entry->hardware;
            memcpy(link->sll_addr, entry->hardware, sizeof entry->hardware);
            struct sockaddr_ll *broadcast = (struct sockaddr_ll *)&item->other;
            *broadcast = *link;
            memset(broadcast->sll_addr, entry->hardware_type == ARPHRD_ETHER ? 0xff : 0, sizeof entry->hardware);
            item->named.ifa_broadaddr = (struct sockaddr *)broadcast;
        }

        item->named.ifa_data = item->data;
        return;
    }

    memcpy(&item->address, entry->address.bytes, sizeof entry->address.bytes);
    put_mask(entry, &item->mask, false);
    item->named.ifa_netmask = (struct sockaddr *)&item->mask;
    if (family_of(&entry->address) != AF_INET)
        return;
    if (has_broadcast(entry))
        put_mask(entry, &item->other, true);
    else
        memcpy(&item->other, &item->address, sizeof(struct sockaddr_in));
    item->named.ifa_broadaddr = (struct sockaddr *)&item->other;
}

static struct sockaddr *copy_address(struct sockaddr_storage *to, const struct sockaddr *from)
{
    if (from == NULL)
        return NULL;
    size_t length = from->sa_family == AF_INET ? sizeof(struct sockaddr_in) : from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_ll);
    memcpy(to, from, length);
    return (struct sockaddr *)to;
}

static void copy_item(struct item *item, const struct ifaddrs *from)
{
    memset(item, 0, sizeof *item);
    strncpy(item->name, from->ifa_name, sizeof item->name - 1);
    item->named.ifa_flags = from->ifa_flags;
    item->named.ifa_addr = copy_address(&item->address, from->ifa_addr);
    item->named.ifa_netmask = copy_address(&item->mask, from->ifa_netmask);
    item->named.ifa_broadaddr = copy_address(&item->other, from->ifa_broadaddr);
    if (from->ifa_data != NULL && from->ifa_addr != NULL && from->ifa_addr->sa_family == AF_PACKET) {
        memcpy(item->data, from->ifa_data, STATISTICS);
        item->named.ifa_data = item->data;
    }
}

static bool is_link_local(const struct entry *entry)
{
    return family_of(&entry->address) == AF_INET6 && IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)(entry->address.bytes + 8));
}

/* An interface's entries of a family. The kernel lists IPv6 addresses of a wider scope first (ipv6_link_dev_addr). */
static size_t fill_items(struct item *items, const struct entry *from, const struct entry *end, sa_family_t family)
{
    size_t filled = 0;
    for (int narrow = 0; narrow < 2; narrow++)
        for (const struct entry *each = from; each < end; each++)
            if (family_of(&each->address) == family && is_link_local(each) == (narrow == 1))
                fill_item(&items[filled++], each);
    return filled;
}

EXPORT int getifaddrs(struct ifaddrs **result)
{
    static const sa_family_t order[] = { AF_UNSPEC, AF_INET, AF_INET6 }; /* links before addresses, as libc has them */
    struct ifaddrs *host = NULL;
    struct list list;
    int error = find_all(&list);
    if (error != 0)
        return tw_result(error);
    if (tw_has_routes() && REAL(getifaddrs)(&host) != 0) {
        free(list.entries);
        return -1;
    }

    size_t count = list.count, filled = 0;
    for (struct ifaddrs *each = host; each != NULL; each = each->ifa_next)
        count++;
    struct item *items = count == 0 ? NULL : malloc(count * sizeof *items);
    if (items != NULL) {
        for (struct ifaddrs *each = host; each != NULL; each = each->ifa_next)
            copy_item(&items[filled++], each);
        for (size_t family = 0; family < sizeof order / sizeof *order; family++)
            for (size_t i = 0, end = 0; i < list.count; i = end) {
                while (end < list.count && list.entries[end].index == list.entries[i].index)
                    end++;
                filled += fill_items(&items[filled], &list.entries[i], &list.entries[end], order[family]);
            }

        for (size_t i = 0; i < filled; i++) {
            items[i].named.ifa_name = items[i].name;
            items[i].named.ifa_next = i + 1 < filled ? &items[i + 1].named : NULL;
        }
    }

    free(list.entries);
    if (host != NULL)
        REAL(freeifaddrs)(host);
    *result = (struct ifaddrs *)items;
    return tw_result(items == NULL && count > 0 ? ENOMEM : 0);
}

EXPORT void freeifaddrs(struct ifaddrs *list) { free(list); }

/* ---- if_nameindex and its like ---- */

EXPORT struct if_nameindex *if_nameindex(void)
{
    struct list list;
    struct if_nameindex *host = NULL;
    size_t beside = 0, count = 0;
    int error = find_all(&list);
    if (error != 0) {
        errno = error;
        return NULL;
    }

    if (tw_has_routes() && (host = REAL(if_nameindex)()) != NULL)
        while (host[beside].if_index != 0)
            beside++;
    size_t most = list.count + beside;
    struct if_nameindex *result = malloc((most + 1) * (sizeof *result + IFNAMSIZ));
    char *names = (char *)(result + most + 1);
    for (size_t i = 0; result != NULL && i < most; i++) {
        const struct entry *entry = i < beside ? NULL : &list.entries[i - beside];
        if (entry != NULL && family_of(&entry->address) != AF_UNSPEC)
            continue;
        result[count] = (struct if_nameindex){ .if_index = entry != NULL ? entry->index : host[i].if_index, .if_name = names + count * IFNAMSIZ };
        strncpy(result[count].if_name, entry != NULL ? entry->name : host[i].if_name, IFNAMSIZ - 1);
        result[count++].if_name[IFNAMSIZ - 1] = 0;
    }

    free(list.entries);
    if (host != NULL)
        REAL(if_freenameindex)(host);
    if (result != NULL)
        result[count] = (struct if_nameindex){ .if_index = 0 };
    else
        errno = ENOMEM;
    return result;
}

EXPORT void if_freenameindex(struct if_nameindex *list) { free(list); }

EXPORT unsigned if_nametoindex(const char *name)
{
    struct list list;
    int error = find_all(&list);
    const struct entry *entry = error == 0 ? find(&list, name, 0, AF_UNSPEC) : NULL;
    unsigned index = entry != NULL ? entry->index : 0;
    if (error == 0)
        free(list.entries);
    if (index == 0 && error == 0)
        return REAL(if_nametoindex)(name);
    if (index == 0)
        errno = error != 0 ? error : ENODEV;
    return index;
}

EXPORT char *if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
    struct list list;
    int error = find_all(&list);
    const struct entry *entry = error == 0 ? find(&list, NULL, index, AF_UNSPEC) : NULL;
    bool is_found = entry != NULL;
    if (is_found)
        memcpy(name, entry->name, IFNAMSIZ);
    if (error == 0)
        free(list.entries);
    if (!is_found && error == 0)
        return REAL(if_indextoname)(index, name);
    if (!is_found)
        errno = error != 0 ? error : ENXIO;
    return is_found ? name : NULL;
}
