#include "tools/show_wire.h"

#include "sim/base/json.h"
#include "sim/plan/trial.h"

#include <math.h>

static void say(const struct scenario *sc, const struct outcome *o)
{
    const struct wire_sum *w = &o->wire;
    printf("wire %s: %lld requests in %.1f s\n", sc->wire.name,
           (long long)o->requests, o->duration_s);
    if (isnan(o->kv_transfer.mean)) {
        printf("no KV transfers: one pool does it all\n");
        return;
    }
    printf("KV transfer, posted to received: mean %.2f ms, p50 %.2f, p99 %.2f, "
           "max %.2f\n",
           o->kv_transfer.mean, o->kv_transfer.p50, o->kv_transfer.p99,
           o->kv_transfer.max);
    printf("%-10s %14s %14s\n", "link", "waited for, s", "busiest, %");
    for (int k = 0; k < WIRE_KINDS; k++)
        printf("%-10s %14.3f %14.1f\n", wire_kind_name((enum wire_kind)k),
               w->waited_s[k], 100 * w->busiest[k]);
    if (w->worst.waited_s > 0)
        printf("most: %s %u of node %u, %.3f s, busy %.1f %%, %.2f GB\n",
               wire_kind_name(w->worst.kind), w->worst.unit, w->worst.node,
               w->worst.waited_s, 100 * w->worst.busy, w->worst.moved_B / 1e9);
    else
        printf("no transfer waited for another\n");
}

static cJSON *as_json(const struct scenario *sc, const struct outcome *o)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "wire", sc->wire.name);
    cJSON_AddNumberToObject(root, "requests", (double)o->requests);
    cJSON_AddNumberToObject(root, "kv_transfer_ms", o->kv_transfer.mean);
    cJSON *list = cJSON_AddArrayToObject(root, "links");
    for (int k = 0; k < WIRE_KINDS; k++) {
        cJSON *x = cJSON_CreateObject();
        cJSON_AddStringToObject(x, "kind", wire_kind_name((enum wire_kind)k));
        cJSON_AddNumberToObject(x, "waited_s", o->wire.waited_s[k]);
        cJSON_AddNumberToObject(x, "busiest", o->wire.busiest[k]);
        cJSON_AddItemToArray(list, x);
    }
    return root;
}

static bool run(const struct scenario *sc, struct arena *a, struct trial *t,
                struct err *e)
{
    struct space sp;
    if (!space_build(sc, a, &sp, e))
        return false;
    trial_run(&sp, 0, false, a, t);
    return t->ok || err_set(e, ERR_INPUT, "%s", t->why);
}

bool show_wire(struct cmd_session *s, const char *path, struct err *e)
{
    struct scenario sc;
    struct trial t = {0};
    struct arena *a = arena_open();
    bool ok = cmd_scenario(s, path, &sc, e);
    if (ok && !run(&sc, a, &t, e))
        ok = err_in(e, "%s", path);
    if (ok && !(s->c->json && s->c->json[0] == '-'))
        say(&sc, &t.out);
    if (ok) {
        cJSON *root = as_json(&sc, &t.out);
        ok = cmd_json(s->c, root, e);
        json_free(root);
    }
    arena_close(a);
    return ok;
}
