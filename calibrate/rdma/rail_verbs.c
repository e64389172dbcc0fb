/* rail_verbs - reliable connections through libibverbs.
 * A rail owns, in this order: device, protection domain, memory, its
 * registration, completion channel, completion queue, queue pairs; they are
 * released the other way round.  The last message of a chain asks for a
 * completion; queue pairs complete in order, so that stands for the chain.
 *
 * Waiting is adaptive: while waits have been short of late and there is more
 * than one processor it polls for a while, then sleeps on the completion
 * channel.  Software RDMA needs this processor to make progress:
 * polling it dry costs 20 ms a round trip there. */
#define _GNU_SOURCE /* CPU_COUNT, POLLRDHUP */
#include "calibrate/rdma/rail.h"

#include "calibrate/rdma/verbs.h"

#if VERBS_THERE

#include "calibrate/rdma/gpumem.h"
#include "sim/base/must.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

extern const struct rail_ops rail_verbs;

enum {
    PSN_MASK = 0xffffff,
    /* Local acknowledge timeout 4.096 us x 2^18 = 1.07 s, 7 tries: shaped links
     * queue for longer than the usual 67 ms. */
    TIMEOUT = 18,
    RETRIES = 7,
    RNR_TIMER = 12, /* 0.64 ms; no receive is ever posted */
    TICK_MS = 1000, /* of the longest sleep */
};
#define SHORT_S 50e-6 /* longer waits are slept through */
#define SPIN_S 100e-6 /* how long it polls at first */
#define SPIN_OLD 0.9  /* weight of the past in what waits take */

struct verbs {
    struct rail rail;
    struct arena *a;
    struct verbs_port port;
    struct ibv_context *ctx;
    struct ibv_pd *pd;
    void *host; /* memory; NULL when the GPU's */
    struct gpumem gpu;
    uint64_t bytes;
    struct ibv_mr *mr;
    struct ibv_comp_channel *channel;
    struct ibv_cq *cq;
    struct ibv_qp *qp[RAIL_QPS];
    uint32_t qps, mtu, reads;
    uint32_t psn; /* another each time: late packets of the last fit nowhere */
    struct rail_end its;
    int watch;
    bool alone;    /* one processor */
    double wait_s; /* what a wait takes */
};

static struct verbs *verbs_of(struct rail *r)
{
    must(r->ops == &rail_verbs);
    return (struct verbs *)r;
}

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- open ---- */

static bool get_host_memory(struct verbs *x, struct err *e)
{
    x->host = mmap(NULL, x->bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (x->host != MAP_FAILED)
        return true;
    x->host = NULL;
    return err_set(e, ERR_SYSTEM, "no %llu bytes of memory: %s",
                   (unsigned long long)x->bytes, strerror(errno));
}

enum {
    ACCESS = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE
           | IBV_ACCESS_REMOTE_READ
};

static struct ibv_mr *register_gpu(struct verbs *x)
{
    struct ibv_mr *mr = NULL;
    if (x->gpu.fd >= 0)
        mr = ibv_reg_dmabuf_mr(x->pd, x->gpu.offset, x->bytes, x->gpu.at,
                               x->gpu.fd, ACCESS);
    void *at = (void *)(uintptr_t)x->gpu.at; /* for a peer-memory module */
    return mr ? mr : ibv_reg_mr(x->pd, at, x->bytes, ACCESS);
}

/* A GPU that cannot be reached is said in the rail's note. */
static bool try_gpu(struct verbs *x, int gpu)
{
    struct err e = {ERR_NONE, ""};
    bool got = gpumem_open(&x->gpu, gpu, x->bytes, &e);
    x->mr = got ? register_gpu(x) : NULL;
    x->rail.on_gpu = x->mr != NULL;
    if (x->mr)
        return true;
    if (got)
        snprintf(x->rail.note, sizeof x->rail.note,
                 "GPU %d: its memory cannot be registered (%s); host memory",
                 gpu, strerror(errno));
    else
        snprintf(x->rail.note, sizeof x->rail.note, "%.120s; host memory",
                 e.text);
    gpumem_close(&x->gpu);
    return false;
}

static bool get_memory(struct verbs *x, int gpu, struct err *e)
{
    if (gpu >= 0 && try_gpu(x, gpu))
        return true;
    if (!get_host_memory(x, e))
        return false;
    x->mr = ibv_reg_mr(x->pd, x->host, x->bytes, ACCESS);
    return x->mr || verbs_no_lock(x->port.device, x->bytes, errno, e);
}

static bool get_queues(struct verbs *x, struct err *e)
{
    struct ibv_qp_init_attr q = {
        .qp_type = IBV_QPT_RC,
        .cap = {.max_send_wr = RAIL_DEPTH,
                .max_recv_wr = 1,
                .max_send_sge = 1,
                .max_recv_sge = 1},
    };
    x->channel = ibv_create_comp_channel(x->ctx);
    if (!x->channel)
        return verbs_refused(x->port.device, "completion channel", errno, e);
    x->cq = ibv_create_cq(x->ctx, (int)(x->qps * RAIL_DEPTH), NULL, x->channel,
                          0);
    if (!x->cq)
        return verbs_refused(x->port.device, "completion queue", errno, e);
    q.send_cq = q.recv_cq = x->cq;
    for (uint32_t i = 0; i < x->qps; i++) {
        x->qp[i] = ibv_create_qp(x->pd, &q);
        if (!x->qp[i] && errno == ENOMEM)
            return verbs_no_lock(x->port.device, 0, errno, e);
        if (!x->qp[i])
            return verbs_refused(x->port.device, "queue pair", errno, e);
    }
    return true;
}

static void verbs_shut(struct rail *r)
{
    if (!r)
        return;
    struct verbs *x = verbs_of(r);
    for (uint32_t i = x->qps; i-- > 0;)
        if (x->qp[i])
            ibv_destroy_qp(x->qp[i]);
    if (x->cq)
        ibv_destroy_cq(x->cq);
    if (x->channel)
        ibv_destroy_comp_channel(x->channel);
    if (x->mr)
        ibv_dereg_mr(x->mr);
    gpumem_close(&x->gpu);
    if (x->host)
        munmap(x->host, x->bytes);
    if (x->pd)
        ibv_dealloc_pd(x->pd);
    if (x->ctx)
        ibv_close_device(x->ctx);
    arena_close(x->a);
}

static bool set_mtu(struct verbs *x, uint32_t mtu, struct err *e)
{
    x->mtu = mtu ? mtu : x->port.mtu;
    if (x->mtu <= x->port.mtu && verbs_mtu(x->mtu))
        return true;
    return err_set(e, ERR_USAGE,
                   "%s: an MTU of %u is not one of 256, 512, 1024, 2048, 4096 "
                   "up to the port's %u",
                   x->port.device, mtu, x->port.mtu);
}

static bool open_all(struct verbs *x, const struct rail_ask *ask, struct err *e)
{
    if (!verbs_open(ask->device, ask->gid, &x->ctx, &x->port, e)
        || !set_mtu(x, ask->mtu, e))
        return false;
    x->reads = x->port.reads;
    x->pd = ibv_alloc_pd(x->ctx);
    if (!x->pd)
        return verbs_refused(x->port.device, "protection domain", errno, e);
    return get_memory(x, ask->gpu, e) && get_queues(x, e);
}

static bool verbs_begin_rail(const struct rail_ask *ask, struct rail **r,
                             struct err *e)
{
    cpu_set_t set;
    must(ask->qps > 0 && ask->qps <= RAIL_QPS && ask->bytes > 0);
    struct arena *a = arena_open();
    struct verbs *x = ARENA_NEW(a, struct verbs);
    x->rail.ops = &rail_verbs;
    x->a = a;
    x->bytes = ask->bytes;
    x->qps = ask->qps;
    x->watch = ask->watch;
    x->psn = (uint32_t)((uint64_t)(clock_s(CLOCK_MONOTONIC) * 1e6) & PSN_MASK);
    x->gpu.fd = -1;
    x->alone = sched_getaffinity(0, sizeof set, &set) != 0
            || CPU_COUNT(&set) < 2;
    if (!open_all(x, ask, e)) {
        verbs_shut(&x->rail);
        return false;
    }
    *r = &x->rail;
    return true;
}

/* ---- join ---- */

static void verbs_end(const struct rail *r, struct rail_end *mine)
{
    const struct verbs *x = (const struct verbs *)r;
    *mine = (struct rail_end){
        .mtu = x->mtu,
        .lid = x->port.lid,
        .psn = x->psn,
        .rkey = x->mr->rkey,
        .reads = x->reads,
        .addr = x->host ? (uintptr_t)x->host : x->gpu.at,
        .bytes = x->bytes,
        .qps = x->qps,
    };
    memcpy(mine->gid, x->port.gid, RAIL_GID);
    snprintf(mine->name, sizeof mine->name, "%s", x->port.device);
    for (uint32_t i = 0; i < x->qps; i++)
        mine->qpn[i] = x->qp[i]->qp_num;
}

static bool to_init(struct verbs *x, struct ibv_qp *qp, struct err *e)
{
    struct ibv_qp_attr a = {.qp_state = IBV_QPS_INIT,
                            .port_num = (uint8_t)x->port.port,
                            .qp_access_flags = ACCESS};
    int rc = ibv_modify_qp(qp, &a,
                           IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT
                               | IBV_QP_ACCESS_FLAGS);
    return rc == 0 || verbs_refused(x->port.device, "INIT", rc, e);
}

static bool to_receive(struct verbs *x, struct ibv_qp *qp, uint32_t qpn,
                       struct err *e)
{
    struct ibv_qp_attr a = {
        .qp_state = IBV_QPS_RTR,
        .path_mtu = (enum ibv_mtu)verbs_mtu(x->mtu),
        .dest_qp_num = qpn,
        .rq_psn = x->its.psn,
        .max_dest_rd_atomic = (uint8_t)x->reads,
        .min_rnr_timer = RNR_TIMER,
        .ah_attr = {.port_num = (uint8_t)x->port.port,
                    .dlid = (uint16_t)x->its.lid,
                    .is_global = x->port.global},
    };
    a.ah_attr.grh.sgid_index = (uint8_t)x->port.gid_index;
    a.ah_attr.grh.hop_limit = 64;
    memcpy(a.ah_attr.grh.dgid.raw, x->its.gid, RAIL_GID);
    int rc = ibv_modify_qp(
        qp, &a,
        IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN
            | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
    return rc == 0 || verbs_refused(x->port.device, "ready to receive", rc, e);
}

static bool to_send(struct verbs *x, struct ibv_qp *qp, struct err *e)
{
    struct ibv_qp_attr a = {.qp_state = IBV_QPS_RTS,
                            .timeout = TIMEOUT,
                            .retry_cnt = RETRIES,
                            .rnr_retry = RETRIES,
                            .sq_psn = x->psn,
                            .max_rd_atomic = (uint8_t)x->reads};
    int rc = ibv_modify_qp(qp, &a,
                           IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT
                               | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN
                               | IBV_QP_MAX_QP_RD_ATOMIC);
    return rc == 0 || verbs_refused(x->port.device, "ready to send", rc, e);
}

static bool verbs_join(struct rail *r, const struct rail_end *its,
                       struct err *e)
{
    struct verbs *x = verbs_of(r);
    x->its = *its;
    if (its->qps != x->qps || its->bytes != x->bytes)
        return err_set(e, ERR_INPUT,
                       "%s: the other end has %u queue pairs, "
                       "this one %u",
                       x->port.device, its->qps, x->qps);
    if (its->mtu != x->mtu)
        return err_set(e, ERR_INPUT,
                       "MTU mismatch: %s carries %u bytes a packet, the "
                       "peer's %s %u; make the ports equal, or force the "
                       "smaller with --mtu %u",
                       x->port.device, x->mtu, its->name, its->mtu,
                       its->mtu < x->mtu ? its->mtu : x->mtu);
    if (its->reads < x->reads)
        x->reads = its->reads;
    for (uint32_t i = 0; i < x->qps; i++)
        if (!to_init(x, x->qp[i], e) || !to_receive(x, x->qp[i], its->qpn[i], e)
            || !to_send(x, x->qp[i], e))
            return false;
    return true;
}

/* ---- memory ---- */

static bool verbs_get(struct rail *r, void *to, size_t n)
{
    struct verbs *x = verbs_of(r);
    must(n <= x->bytes);
    if (!x->host)
        return gpumem_get(&x->gpu, to, n);
    memcpy(to, x->host, n);
    return true;
}

static bool verbs_put(struct rail *r, const void *from, size_t n)
{
    struct verbs *x = verbs_of(r);
    must(n <= x->bytes);
    if (!x->host)
        return gpumem_put(&x->gpu, from, n);
    memcpy(x->host, from, n);
    return true;
}

/* ---- moving ---- */

static double verbs_now(struct rail *r)
{
    (void)r;
    return clock_s(CLOCK_MONOTONIC);
}

static void verbs_begin(struct rail *r, const struct rail_crowd *c)
{
    (void)r, (void)c; /* the wire knows */
}

static bool verbs_post(struct rail *r, const struct rail_chain *c,
                       struct err *e)
{
    struct verbs *x = verbs_of(r);
    struct ibv_send_wr wr[RAIL_CHAIN], *bad;
    struct ibv_sge sge[RAIL_CHAIN];
    uint64_t base = x->host ? (uintptr_t)x->host : x->gpu.at;
    must(c->n > 0 && c->n <= RAIL_CHAIN && c->qp < x->qps);
    must(c->bytes > 0 && c->bytes <= x->bytes && c->bytes <= UINT32_MAX);
    double from = clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < c->n; i++) {
        uint64_t at = i % (x->bytes / c->bytes) * c->bytes;
        sge[i] = (struct ibv_sge){base + at, (uint32_t)c->bytes, x->mr->lkey};
        wr[i] = (struct ibv_send_wr){
            .wr_id = (uint64_t)c->qp << 32 | c->n,
            .next = i + 1 < c->n ? &wr[i + 1] : NULL,
            .sg_list = &sge[i],
            .num_sge = 1,
            .opcode = c->op == RAIL_READ ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
            .send_flags = i + 1 < c->n ? 0 : IBV_SEND_SIGNALED,
            .wr.rdma = {x->its.addr + at, x->its.rkey},
        };
    }
    int rc = ibv_post_send(x->qp[c->qp], wr, &bad);
    r->post_s += clock_s(CLOCK_THREAD_CPUTIME_ID) - from;
    return rc == 0 || verbs_refused(x->port.device, "post", rc, e);
}

static bool poll_queue(struct verbs *x, struct rail_done *d, size_t room,
                       size_t *n, struct err *e)
{
    enum { AT_ONCE = 16 };
    struct ibv_wc wc[AT_ONCE];
    int got = ibv_poll_cq(x->cq, room < AT_ONCE ? (int)room : AT_ONCE, wc);
    if (got < 0)
        return verbs_refused(x->port.device, "poll", EIO, e);
    for (int i = 0; i < got; i++) {
        if (wc[i].status != IBV_WC_SUCCESS)
            return verbs_failed(x->port.device, wc[i].status, x->its.name, e);
        d[i] = (struct rail_done){(uint32_t)(wc[i].wr_id >> 32),
                                  (uint32_t)wc[i].wr_id};
    }
    *n = (size_t)got;
    return true;
}

/* Sleeps until the channel or the watched descriptor has something to say. */
static bool doze(struct verbs *x, double until, struct err *e)
{
    struct pollfd p[2] = {{.fd = x->channel->fd, .events = POLLIN},
                          {.fd = x->watch, .events = POLLIN | POLLRDHUP}};
    double left_ms = ceil((until - verbs_now(&x->rail)) * 1e3);
    int ms = left_ms > TICK_MS ? TICK_MS : left_ms > 0 ? (int)left_ms : 0;
    int got = poll(p, x->watch >= 0 ? 2 : 1, ms);
    if (got < 0 && errno != EINTR)
        return verbs_refused(x->port.device, "poll", errno, e);
    if (got > 0 && x->watch >= 0 && p[1].revents)
        return err_set(e, ERR_ABSENT, "the peer of %s broke off",
                       x->port.device);
    if (got > 0 && p[0].revents) {
        struct ibv_cq *cq;
        void *context;
        if (ibv_get_cq_event(x->channel, &cq, &context) != 0)
            return verbs_refused(x->port.device, "event", errno, e);
        ibv_ack_cq_events(cq, 1);
    }
    return true;
}

static bool verbs_wait(struct rail *r, double until, struct rail_done *d,
                       size_t room, size_t *n, struct err *e)
{
    struct verbs *x = verbs_of(r);
    double begun = verbs_now(r), now = begun;
    double spin = x->alone || x->wait_s > SHORT_S ? 0 : SPIN_S;
    do {
        if (!poll_queue(x, d, room, n, e))
            return false;
        now = verbs_now(r);
    } while (*n == 0 && now < until && now - begun < spin);
    while (*n == 0 && now < until) {
        /* Ask, look again, then sleep: what came in between is not missed. */
        int rc = ibv_req_notify_cq(x->cq, 0);
        if (rc != 0)
            return verbs_refused(x->port.device, "notification", rc, e);
        if (!poll_queue(x, d, room, n, e))
            return false;
        if (*n == 0 && !doze(x, until, e))
            return false;
        if (*n == 0 && !poll_queue(x, d, room, n, e))
            return false;
        now = verbs_now(r);
    }
    x->wait_s = SPIN_OLD * x->wait_s + (1 - SPIN_OLD) * (now - begun);
    return true;
}

const struct rail_ops rail_verbs = {
    .name = "verbs",
    .real = true,
    .list = verbs_list,
    .open = verbs_begin_rail,
    .close = verbs_shut,
    .end = verbs_end,
    .join = verbs_join,
    .get = verbs_get,
    .put = verbs_put,
    .now = verbs_now,
    .begin = verbs_begin,
    .post = verbs_post,
    .wait = verbs_wait,
};

#else /* built where infiniband/verbs.h is not: nothing is ever opened */

extern const struct rail_ops rail_verbs;
const struct rail_ops rail_verbs = {.name = "verbs", .list = verbs_list};

#endif
