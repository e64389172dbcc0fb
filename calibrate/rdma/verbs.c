#include "calibrate/rdma/verbs.h"

#if VERBS_THERE

#include "sim/base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SYSFS "/sys/class/infiniband"
#define MANY_READS 16U /* more outstanding READs gain nothing on known NICs */

static bool none(int why, struct err *e)
{
    const char *sysfs = access(SYSFS, F_OK) == 0 ? "is empty" : "is not there";
    return err_set(e, ERR_ABSENT,
                   "no RDMA device: libibverbs finds none (%s), " SYSFS
                   " %s; is the adapter's driver loaded (mlx5_ib, bnxt_re, "
                   "rdma_rxe), and its user-space provider installed?",
                   why ? strerror(why) : "no error", sysfs);
}

/* Widths are bits of 1x, 4x, 8x, 12x, 2x; speeds likewise, in Gb/s a lane
 * before coding (InfiniBand Architecture 1.5, PortInfo). */
static double nominal_Bps(const struct ibv_port_attr *p)
{
    static const struct {
        int bit;
        double is;
    } width[] = {{1, 1}, {2, 4}, {4, 8}, {8, 12}, {16, 2}},
      gbps[] = {{1, 2.5}, {2, 5},   {4, 10},  {8, 10},
                {16, 14}, {32, 25}, {64, 50}, {128, 100}};
    double w = 0, g = 0;
    for (size_t i = 0; i < sizeof width / sizeof *width; i++)
        if (width[i].bit == p->active_width)
            w = width[i].is;
    for (size_t i = 0; i < sizeof gbps / sizeof *gbps; i++)
        if (gbps[i].bit == p->active_speed)
            g = gbps[i].is;
    return w * g * 1e9 / 8;
}

static const char *state_of(const struct ibv_port_attr *p)
{
    switch (p->state) {
    case IBV_PORT_NOP:
        return "NOP";
    case IBV_PORT_DOWN:
        return "DOWN";
    case IBV_PORT_INIT:
        return "INIT";
    case IBV_PORT_ARMED:
        return "ARMED";
    case IBV_PORT_ACTIVE:
        return "ACTIVE";
    case IBV_PORT_ACTIVE_DEFER:
        return "ACTIVE_DEFER";
    }
    return "unknown";
}

static uint32_t mtu_bytes(enum ibv_mtu mtu)
{
    return 128U << (unsigned)mtu; /* IBV_MTU_256 = 1 */
}

int verbs_mtu(uint32_t bytes)
{
    for (int m = IBV_MTU_256; m <= IBV_MTU_4096; m++)
        if (mtu_bytes((enum ibv_mtu)m) == bytes)
            return m;
    return 0;
}

bool verbs_refused(const char *device, const char *what, int why, struct err *e)
{
    return err_set(e, ERR_SYSTEM, "%s: %s: %s", device, what, strerror(why));
}

bool verbs_no_lock(const char *device, uint64_t bytes, int why, struct err *e)
{
    struct rlimit lim = {0, 0};
    char now[32] = "unlimited";
    getrlimit(RLIMIT_MEMLOCK, &lim);
    if (lim.rlim_cur != RLIM_INFINITY)
        snprintf(now, sizeof now, "%llu KiB",
                 (unsigned long long)lim.rlim_cur >> 10);
    if (bytes == 0 || why != ENOMEM)
        return err_set(e, ERR_SYSTEM,
                       "%s: %s: %s; RLIMIT_MEMLOCK is %s "
                       "(ulimit -l)",
                       device, bytes ? "memory registration" : "queue pair",
                       strerror(why), now);
    return err_set(e, ERR_SYSTEM,
                   "%s: cannot lock %llu KiB of memory: RLIMIT_MEMLOCK is %s; "
                   "raise it (`ulimit -l unlimited`, or LimitMEMLOCK= of the "
                   "service), or ask for smaller messages",
                   device, (unsigned long long)bytes >> 10, now);
}

bool verbs_failed(const char *device, enum ibv_wc_status status,
                  const char *peer, struct err *e)
{
    if (status == IBV_WC_RETRY_EXC_ERR || status == IBV_WC_WR_FLUSH_ERR)
        return err_set(e, ERR_ABSENT,
                       "%s: %s at the other end no longer "
                       "answers (%s)",
                       device, peer, ibv_wc_status_str(status));
    return err_set(e, ERR_SYSTEM, "%s: %s", device, ibv_wc_status_str(status));
}

/* ---- ports ---- */

static void name_port(char name[RAIL_NAME], const char *device, uint8_t port)
{
    if (port == 1)
        snprintf(name, RAIL_NAME, "%.*s", RAIL_NAME - 8, device);
    else
        snprintf(name, RAIL_NAME, "%.*s:%d", RAIL_NAME - 8, device, port);
}

/* Adds a device's ports; one that cannot be opened has the state why. */
static void add_ports(struct ibv_device *d, struct arena *a,
                      struct rail_port **list, size_t *n)
{
    const char *name = ibv_get_device_name(d);
    struct ibv_context *ctx = ibv_open_device(d);
    struct ibv_device_attr attr = {.phys_port_cnt = 1};
    int why = ctx ? ibv_query_device(ctx, &attr) : errno;
    for (int k = 1; k <= attr.phys_port_cnt; k++) {
        struct ibv_port_attr at;
        *list = arena_grow(a, *list, *n, *n + 1, sizeof **list);
        struct rail_port *p = &(*list)[(*n)++];
        name_port(p->name, name, (uint8_t)k);
        if (why == 0)
            why = ibv_query_port(ctx, (uint8_t)k, &at);
        if (why != 0) {
            snprintf(p->state, sizeof p->state, "%s", strerror(why));
            continue;
        }
        snprintf(p->state, sizeof p->state, "%s", state_of(&at));
        p->active = at.state == IBV_PORT_ACTIVE;
        p->mtu = mtu_bytes(at.active_mtu);
        p->Bps = nominal_Bps(&at);
    }
    if (ctx)
        ibv_close_device(ctx);
}

bool verbs_list(struct arena *a, struct rail_port **port, size_t *n,
                struct err *e)
{
    int count = 0;
    errno = 0;
    struct ibv_device **list = ibv_get_device_list(&count);
    int why = list ? 0 : errno;
    *port = NULL;
    *n = 0;
    for (int i = 0; i < count; i++)
        add_ports(list[i], a, port, n);
    if (list)
        ibv_free_device_list(list);
    return *n > 0 || none(why, e);
}

/* ---- open ---- */

/* "device" or "device:port". */
static bool find_device(const char *name, struct ibv_context **ctx, int *port,
                        struct err *e)
{
    char device[RAIL_NAME];
    int count = 0;
    errno = 0;
    snprintf(device, sizeof device, "%s", name);
    char *colon = strrchr(device, ':');
    *port = colon ? atoi(colon + 1) : 1;
    if (colon)
        *colon = '\0';
    struct ibv_device **list = ibv_get_device_list(&count);
    if (!list || count == 0) {
        int why = errno;
        if (list)
            ibv_free_device_list(list);
        return none(why, e);
    }
    bool found = false;
    *ctx = NULL;
    for (int i = 0; i < count && !found; i++)
        if (strcmp(ibv_get_device_name(list[i]), device) == 0) {
            found = true;
            *ctx = ibv_open_device(list[i]);
        }
    int why = errno;
    ibv_free_device_list(list);
    if (*ctx)
        return true;
    if (found)
        return verbs_refused(device, "cannot be opened", why, e);
    return err_set(e, ERR_ABSENT, "no RDMA device \"%s\"", device);
}

/* The IPv4 address of a RoCE v2 entry is mapped into IPv6. */
static bool is_ipv4(const union ibv_gid *g)
{
    static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(g->raw, head, sizeof head) == 0;
}

static bool pick_gid(struct ibv_context *ctx, const struct ibv_port_attr *at,
                     int wanted, struct verbs_port *p, struct err *e)
{
    int best = -1, score = -1;
    struct ibv_gid_entry g;
    for (int i = 0; i < at->gid_tbl_len; i++) {
        if (ibv_query_gid_ex(ctx, (uint32_t)p->port, (uint32_t)i, &g, 0) != 0)
            continue;
        int s = g.gid_type != IBV_GID_TYPE_ROCE_V2 ? 0
              : is_ipv4(&g.gid)                    ? 2
                                                   : 1;
        if (wanted >= 0 ? i == wanted : s > score) {
            best = i;
            score = s;
            memcpy(p->gid, g.gid.raw, RAIL_GID);
        }
    }
    p->gid_index = best < 0 ? 0 : best;
    p->global = at->link_layer == IBV_LINK_LAYER_ETHERNET || wanted >= 0;
    if (best >= 0 || !p->global)
        return true;
    return err_set(e, ERR_ABSENT,
                   "%s port %d has no GID%s: give its "
                   "interface an address",
                   p->device, p->port, wanted >= 0 ? " of that index" : "");
}

static bool look(struct ibv_context *ctx, int gid, struct verbs_port *p,
                 struct err *e)
{
    struct ibv_port_attr at;
    struct ibv_device_attr d;
    int why = ibv_query_device(ctx, &d);
    if (why != 0)
        return verbs_refused(p->device, "device", why, e);
    if (p->port < 1 || p->port > d.phys_port_cnt)
        return err_set(e, ERR_ABSENT, "%s has no port %d", p->device, p->port);
    why = ibv_query_port(ctx, (uint8_t)p->port, &at);
    if (why != 0)
        return verbs_refused(p->device, "port", why, e);
    if (at.state != IBV_PORT_ACTIVE)
        return err_set(e, ERR_ABSENT,
                       "%s port %d is %s, must be ACTIVE: is "
                       "the link up?",
                       p->device, p->port, state_of(&at));
    int in = d.max_qp_rd_atom, out = d.max_qp_init_rd_atom;
    int reads = in < out ? in : out;
    p->reads = reads < 1 ? 1U : (uint32_t)reads;
    p->reads = p->reads > MANY_READS ? MANY_READS : p->reads;
    p->mtu = mtu_bytes(at.active_mtu);
    p->lid = at.lid;
    return pick_gid(ctx, &at, gid, p, e);
}

bool verbs_open(const char *name, int gid, struct ibv_context **ctx,
                struct verbs_port *port, struct err *e)
{
    memset(port, 0, sizeof *port);
    snprintf(port->device, sizeof port->device, "%s", name);
    if (!find_device(name, ctx, &port->port, e))
        return false;
    if (look(*ctx, gid, port, e))
        return true;
    ibv_close_device(*ctx);
    *ctx = NULL;
    return false;
}

#else

bool verbs_list(struct arena *a, struct rail_port **port, size_t *n,
                struct err *e)
{
    (void)a;
    *port = NULL;
    *n = 0;
    return err_set(e, ERR_ABSENT,
                   "no RDMA: this program was built without libibverbs "
                   "(infiniband/verbs.h); install libibverbs-dev and make it "
                   "anew");
}

#endif
