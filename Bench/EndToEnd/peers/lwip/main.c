/* lwIP as Debian packages it, by its raw API on a TAP device: echo on 7, discard on 9, source on 19.
 *
 * The package fixes TCP_WND and TCP_SND_BUF at 64 KiB and the window's shift at 1. What can be had beyond that without another build: a receive window
 * of 128 KiB less two, and a send queue as long as its limit of 180 segments. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

enum { ECHO = 7, DISCARD = 9, SOURCE = 19, FRAME = 1514, BATCH = 64, WINDOW = 0xFFFF << 1, QUEUE = 180 * 1460, CHUNK = 16 << 10 };

static int tap;
static char filler[CHUNK];

static err_t emit(struct netif *netif, struct pbuf *packet)
{
    (void)netif;
    /* LWIP_NETIF_TX_SINGLE_PBUF: one piece. */
    if (write(tap, packet->payload, packet->tot_len) < 0 && errno != EAGAIN)
        return ERR_IF;
    return ERR_OK;
}

static err_t start_interface(struct netif *netif)
{
    static const u8_t address[6] = { 2, 0, 0, 0, 0x97, 2 };
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->output = etharp_output;
    netif->linkoutput = emit;
    netif->mtu = 1500;
    netif->hwaddr_len = sizeof address;
    memcpy(netif->hwaddr, address, sizeof address);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* tcp_recved, without its bound of TCP_WND. */
static void consumed(struct tcp_pcb *socket, u16_t bytes)
{
    socket->rcv_wnd = LWIP_MIN(socket->rcv_wnd + bytes, (socket->flags & TF_WND_SCALE) ? WINDOW : TCP_WND);
    if (tcp_update_rcv_ann_wnd(socket) >= WINDOW / 4) {
        tcp_ack_now(socket);
        tcp_output(socket);
    }
}

static err_t end(struct tcp_pcb *socket)
{
    tcp_recv(socket, NULL);
    tcp_sent(socket, NULL);
    if (tcp_close(socket) == ERR_OK)
        return ERR_OK;
    tcp_abort(socket);
    return ERR_ABRT;
}

static err_t on_discard(void *argument, struct tcp_pcb *socket, struct pbuf *data, err_t error)
{
    (void)argument, (void)error;
    if (!data)
        return end(socket);
    consumed(socket, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

/* What does not fit into the send queue is refused, and comes again. */
static err_t on_echo(void *argument, struct tcp_pcb *socket, struct pbuf *data, err_t error)
{
    struct pbuf *part;
    (void)argument, (void)error;
    if (!data)
        return end(socket);
    if (tcp_sndbuf(socket) < data->tot_len || tcp_sndqueuelen(socket) + 4 > 180)
        return ERR_MEM;
    for (part = data; part; part = part->next)
        tcp_write(socket, part->payload, part->len, TCP_WRITE_FLAG_COPY);
    tcp_output(socket);
    consumed(socket, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

static err_t fill(struct tcp_pcb *socket)
{
    while (tcp_sndbuf(socket) >= CHUNK && tcp_write(socket, filler, CHUNK, 0) == ERR_OK)
        continue;
    tcp_output(socket);
    return ERR_OK;
}

static err_t on_sent(void *argument, struct tcp_pcb *socket, u16_t bytes)
{
    (void)argument, (void)bytes;
    return fill(socket);
}

static err_t on_accept(void *argument, struct tcp_pcb *socket, err_t error)
{
    int port = (int)(long)argument;
    if (error != ERR_OK || !socket)
        return ERR_VAL;
    tcp_nagle_disable(socket);
    if (socket->flags & TF_WND_SCALE)
        socket->rcv_wnd = WINDOW;
    socket->snd_buf = QUEUE;
    tcp_recv(socket, port == ECHO ? on_echo : on_discard);
    if (port != SOURCE)
        return ERR_OK;
    tcp_sent(socket, on_sent);
    return fill(socket);
}

static void listen_on(int port)
{
    struct tcp_pcb *socket = tcp_new();
    if (tcp_bind(socket, IP_ADDR_ANY, port) != ERR_OK || !(socket = tcp_listen_with_backlog(socket, 255))) {
        fprintf(stderr, "listening on %d failed\n", port);
        exit(1);
    }
    tcp_arg(socket, (void *)(long)port);
    tcp_accept(socket, on_accept);
}

static void open_tap(const char *name)
{
    struct ifreq request = { 0 };
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request)) {
        perror("tap");
        exit(1);
    }
}

static void take_frames(struct netif *netif)
{
    char frame[FRAME];
    int i;
    for (i = 0; i < BATCH; i++) {
        ssize_t length = read(tap, frame, sizeof frame);
        struct pbuf *packet;
        if (length <= 0)
            return;
        packet = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
        if (!packet)
            continue;
        memcpy(packet->payload, frame, length);
        if (ethernet_input(packet, netif) != ERR_OK)
            pbuf_free(packet);
    }
}

int main(int count, char **arguments)
{
    struct netif netif;
    ip4_addr_t address, mask, gateway;
    struct pollfd ready = { .events = POLLIN };
    if (count < 3 || !ip4addr_aton(arguments[2], &address)) {
        fputs("lwip DEVICE ADDRESS\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    open_tap(arguments[1]);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 0, 0, 0, 0);
    lwip_init();
    memset(&netif, 0, sizeof netif);
    netif_add(&netif, &address, &mask, &gateway, NULL, start_interface, ethernet_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    listen_on(ECHO);
    listen_on(DISCARD);
    listen_on(SOURCE);
    for (ready.fd = tap;;) {
        u32_t sleep = sys_timeouts_sleeptime();
        poll(&ready, 1, sleep == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? -1 : (int)sleep);
        take_frames(&netif);
        sys_check_timeouts();
    }
}
