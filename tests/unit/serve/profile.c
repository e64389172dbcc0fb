#include "tests/t.h"

#include "sim/base/file.h"
#include "sim/serve/profile.h"

/* Tests run in the repository's root. */
static const char models[] = "models";

static const char *const names[] = {"vllm-0.15", "vllm-0.21", "vllm-0.22",
                                    "vllm-0.32"};

static struct profile load(struct arena *a, const char *name)
{
    struct err e = {.kind = ERR_NONE};
    struct profile p;

    OK(profile_load(models, name, a, &p, &e), e);
    return p;
}

static void every_version_loads(void **state)
{
    struct arena *a = arena_open();

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct profile p = load(a, names[i]);

        STR_EQ(p.name, names[i]);
        EQ(p.sched.max_num_batched_tokens, 8192);
        EQ(p.sched.max_num_seqs, 1024);
        EQ(p.sched.block_size, 16);
        EQ(p.sched.policy, SCHED_FCFS);
        assert_true(p.sched.async_scheduling);
        NEAR(p.gpu_memory_utilization, i ? 0.92 : 0.90, 0);
        EQ(p.sched.load_failure_fails, i > 0);
        EQ(p.sched.reserve_full_isl, i > 0);
        EQ(p.sched.skipped_waiting_queue, i == 1 || i == 2);
        EQ(p.sched.kv_holding_queue, i == 3);
        EQ(p.sched.steps_while_pinned, i > 1);
        NEAR(p.pin_expiry_s, i > 1 ? 30 : 480, 0);
    }
    arena_close(a);
}

static void an_unknown_name_gets_the_nearest(void **state)
{
    struct arena *a = arena_open();
    struct err e = {.kind = ERR_NONE};
    struct profile p;

    (void)state;
    assert_false(profile_load(models, "vllm-0.23", a, &p, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "vllm-0.23");
    STR_HAS(e.text, "nearest is \"vllm-0.2");
    assert_false(profile_load(models, "../gpu/mi300x", a, &p, &e));
    EQ(e.kind, ERR_INPUT);
    arena_close(a);
}

/* A copy of a profile with one text changed is refused, saying where. */
static void refused(const char *from, const char *to, const char *says)
{
    struct arena *a = arena_open();
    struct err e = {.kind = ERR_NONE};
    struct file_out f;
    struct profile p;
    char *dir = t_dir(), *text, *at;
    char *sub = arena_fmt(a, "%s/engine", dir);
    char *path = arena_fmt(a, "%s/x.json", sub);
    size_t n;

    OK(file_dirs(sub, &e), e);
    OK(file_read("models/engine/vllm-0.21.json", 1 << 20, a, &text, &n, &e), e);
    at = strstr(text, from);
    assert_non_null(at);
    OK(file_out_open(&f, path, &e), e);
    fprintf(f.f, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    OK(file_out_done(&f, &e), e);
    assert_false(profile_load(dir, "x", a, &p, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, path);
    STR_HAS(e.text, says);
    unlink(path);
    rmdir(sub);
    t_undir(dir);
    arena_close(a);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    refused("\"stop_pins\": true", "\"stop_pins\": 1", "stop_pins");
    refused("\"stop_pins\"", "\"stop_pin\"", "stop_pin");
    refused("\"block_size\": 16", "\"block_size\": 0", "block_size");
    refused("\"fcfs\"", "\"lifo\"", "scheduling_policy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_loads),
        cmocka_unit_test(an_unknown_name_gets_the_nearest),
        cmocka_unit_test(bad_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
