#include "tests/t.h"

#include "calibrate/fit/rows.h"

static char *dir;
static struct arena *a;

static int setup(void **state)
{
    (void)state;
    dir = t_dir();
    a = arena_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_undir(dir);
    arena_close(a);
    return 0;
}

static void table(const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.csv", dir, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static struct rows load(void)
{
    struct err e = {ERR_NONE, ""};
    struct rows r;
    OK(rows_load(dir, a, &r, &e), e);
    return r;
}

static void refused(const char *part)
{
    struct err e = {ERR_NONE, ""};
    struct rows r;
    EQ(rows_load(dir, a, &r, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, part);
}

static void reads_gemms(void **state)
{
    (void)state;
    table("gemm", "n,m,k,dtype,time_us,with_quant,suspect,source,"
                  "engine_version\n"
                  "512,8,1024,fp8,20,1,0,lab,v1\n"
                  "512,16,1024,fp8,21,0,0,lab,v1\n"
                  "512,32,1024,fp8,900,0,1,lab,v1\n"
                  "256,8,1024,bf16,5,0,0,lab,\n");
    struct rows r = load();
    EQ(r.n, 3);
    EQ(r.left_out, 1);
    EQ(r.row[0].call.kind, OP_GEMM);
    EQ(r.row[0].call.with_quant, true);
    EQ(r.row[1].call.with_quant, false);
    NEAR(r.row[0].call.m, 8, 0);
    NEAR(r.row[0].time_s, 20e-6, 1e-18);
    EQ(r.row[0].group == r.row[1].group, true);
    EQ(r.row[0].group == r.row[2].group, false);
    STR_EQ(r.row[0].source, "lab v1");
    STR_EQ(r.row[2].source, "lab");
}

static void counts_attention(void **state)
{
    (void)state;
    table("attention_prefill",
          "batch,seq_len,num_heads,num_kv_heads,head_dim,window,kv_dtype,"
          "time_us,source\n"
          "2,5,8,2,64,0,bf16,10,x\n"
          "1,5,8,2,64,3,fp8,10,x\n");
    table("attention_decode",
          "batch,kv_len,num_heads,num_kv_heads,head_dim,window,kv_dtype,"
          "time_us,source\n"
          "4,1000,8,2,64,128,bf16,10,x\n"
          "4,100,8,2,64,128,bf16,10,x\n");
    struct rows r = load();
    EQ(r.n, 4);
    NEAR(r.row[0].call.pairs, 2 * 15, 0);
    NEAR(r.row[0].call.q_tokens, 10, 0);
    NEAR(r.row[1].call.pairs, 1 + 2 + 3 + 3 + 3, 0);
    EQ(r.row[1].call.window, true);
    STR_EQ(op_variant(&r.row[1].call), "d64-fp8-window");
    NEAR(r.row[2].call.kv_tokens, 4 * 128, 0); /* no further than its window */
    NEAR(r.row[3].call.kv_tokens, 4 * 100, 0);
}

static void counts_experts(void **state)
{
    (void)state;
    table("moe", "tokens,hidden,inter,topk,experts,tp,dtype,routing,time_us,"
                 "source\n"
                 "3,64,128,4,32,2,mxfp4,balanced,10,x\n"
                 "30,64,128,4,32,2,mxfp4,balanced,10,x\n");
    struct rows r = load();
    NEAR(r.row[0].call.active, 12, 0);
    NEAR(r.row[1].call.active, 32, 0);
    NEAR(r.row[0].call.inter, 64, 0); /* this rank's */
    EQ(r.row[0].call.even, true);
}

static void takes_the_host_off(void **state)
{
    (void)state;
    table("allreduce", "collective,algo,gpus,bytes,time_us,host_us,source\n"
                       "all_reduce,custom,8,1000,50,20,x\n"
                       "all_gather,rccl,2,1000,50,,x\n");
    struct rows r = load();
    NEAR(r.row[0].time_s, 30e-6, 1e-18);
    STR_EQ(op_variant(&r.row[0].call), "custom-tp8");
    NEAR(r.row[1].time_s, 50e-6, 1e-18);
    EQ(r.row[1].call.kind, OP_ALLGATHER);
}

static void reads_the_rest(void **state)
{
    (void)state;
    table("quant", "scale,m,k,time_us,source\nstatic,2,3,1,x\ntoken,2,3,2,x\n"
                   "block,2,3,2,x\n");
    table("norm", "bytes,time_us,source\n1000,1,x\n");
    table("sample", "rows,vocab,time_us,source\n4,1000,1,x\n");
    table("host", "piece,requests,time_us,source\nupdate,4,100,x\n");
    struct rows r = load();
    EQ(r.n, 6);
    STR_EQ(op_variant(&r.row[0].call), "static");
    STR_EQ(op_variant(&r.row[2].call), "block");
    STR_EQ(op_variant(&r.row[5].call), "update");
}

static void names_what_is_wrong(void **state)
{
    (void)state;
    table("norm", "bytes,time_us,source\n1000,1,x\n1000,-1,x\n");
    refused("norm.csv:3: time_us: cannot use '-1'");
    table("norm", "bytes,time_us,source\n1000,fast,x\n");
    refused("fast");
    table("norm", "bytes,time_us\n1000,1\n");
    refused("no column time_us or source");
    table("norm", "size,time_us,source\n1000,1,x\n");
    refused("no column bytes");
    table("norm", "bytes,time_us,source\n1000,1\n");
    refused("norm.csv:2");
    t_files(dir, 1);
    table("gemm", "m,n,k,dtype,time_us,source\n1,1,1,int9,1,x\n");
    refused("int9");
    table("gemm", "m,n,k,dtype,time_us,source\n");
    EQ(load().n, 0);
}

static void reads_stated(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct stated_list l;
    OK(rows_stated(dir, a, &l, &e), e);
    EQ(l.n, 0);
    table("stated", "op,variant,form,coef,value,source\n"
                    "gemm,fp8,gemm,t0_us,2.5,a book\n"
                    "gemm,bf16,gemm,,,kernels\n");
    OK(rows_stated(dir, a, &l, &e), e);
    EQ(l.n, 2);
    NEAR(l.item[0].value, 2.5, 0);
    STR_EQ(l.item[0].source, "a book");
    STR_EQ(l.item[1].coef, "");
    table("stated", "op,variant,form,coef,value,source\n"
                    "gemm,fp8,gemm,t0_us,2.5,\n");
    EQ(rows_stated(dir, a, &l, &e), false);
    STR_HAS(e.text, "needs its source");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
T_MAIN(TEST(reads_gemms), TEST(counts_attention), TEST(counts_experts),
       TEST(takes_the_host_off), TEST(reads_the_rest),
       TEST(names_what_is_wrong), TEST(reads_stated))
