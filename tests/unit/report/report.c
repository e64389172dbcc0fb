#include "sim/report/report.h"

#include "sim/base/file.h"
#include "sim/base/json.h"
#include "tests/t.h"
#include "tests/unit/report/fake.h"

enum { FILES = 8, GOLDEN_BYTES = 1 << 20 };
static const char golden[] = "tests/unit/report/small.html";

struct box {
    cJSON *root[FILES];
    struct answer_file file[FILES];
    struct str page;
    struct err e;
};

static int make(void **state)
{
    struct box *b = calloc(1, sizeof *b);
    if (!b)
        return -1;
    cJSON *root[FILES] = {fake_sweep(&fake_llama),
                          fake_sweep(&fake_gpt),
                          fake_scaleout(),
                          fake_phases(&fake_gpt),
                          fake_pairs(&fake_gpt),
                          fake_planned(&fake_llama),
                          fake_run(),
                          fake_score()};
    for (int i = 0; i < FILES; i++) {
        b->root[i] = root[i];
        b->file[i] = (struct answer_file){"fake.json", root[i]};
    }
    *state = b;
    return 0;
}

static int clear(void **state)
{
    struct box *b = *state;
    for (int i = 0; i < FILES; i++)
        json_free(b->root[i]);
    str_free(&b->page);
    free(b);
    return 0;
}

static const char *page(struct box *b, size_t first, size_t n,
                        const cJSON *claims)
{
    struct report_ask ask = {.file = b->file + first, .n = n, .claims = claims};
    str_free(&b->page);
    OK(report_html(&ask, &b->page, &b->e), b->e);
    EQ(strlen(b->page.s), b->page.n);
    return b->page.s;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void every_kind(void **state)
{
    static const char *const ids[] = {"pareto", "scaleout", "phases",
                                      "pairs",  "claims",   "plans",
                                      "runs",   "accuracy", "basis"};
    struct box *b = *state;
    cJSON *claims = NULL;
    char id[32];
    OK(json_load("scenarios/seed/claims.json", &claims, &b->e), b->e);
    const char *s = page(b, 0, FILES, claims);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        snprintf(id, sizeof id, "<h2 id=\"%s\">", ids[i]);
        EQ(count(s, id), 1);
        snprintf(id, sizeof id, "<a href=\"#%s\"", ids[i]);
        assert_true(count(s, id) >= 1);
    }
    EQ(count(s, "nan"), 0);
    EQ(count(s, "(null)"), 0);
    STR_HAS(s, "The study: LLM-D Serving");
    json_free(claims);
}

static void kinds_not_given_are_not_shown(void **state)
{
    struct box *b = *state;
    const char *s = page(b, 6, 1, NULL);
    STR_HAS(s, "<h2 id=\"runs\">");
    EQ(count(s, "<h2"), 2); /* and what it rests on */
    EQ(count(s, "claims"), 0);
}

/* Nothing on the page makes a browser ask another machine, or run anything. */
static void self_contained(void **state)
{
    static const char *const never[] = {"http:",   "https:",     "//",
                                        "<script", "<link",      "<img",
                                        "<iframe", "@import",    "url(",
                                        "src=",    "onload",     "<object",
                                        "<form",   "javascript:"};
    struct box *b = *state;
    const char *s = page(b, 0, FILES, NULL);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (count(s, never[i]) > 0)
            fail_msg("the page holds %s", never[i]);
    EQ(count(s, "href=\""), count(s, "href=\"#"));
}

/* Text in every place that a file can bring: none of it becomes markup. */
static void poison(cJSON *item)
{
    static const char evil[] = "\"'><script>x</script>&";
    for (cJSON *i = item->child; i; i = i->next)
        poison(i);
    if (cJSON_IsString(item) && item->string
        && strcmp(item->string, "kind") != 0
        && strcmp(item->string, "topology") != 0)
        cJSON_SetValuestring(item, evil);
}

static void escapes(void **state)
{
    struct box *b = *state;
    for (int i = 0; i < FILES; i++) {
        poison(b->root[i]);
        b->file[i].name = "</code><script>";
    }
    cJSON *inf = cJSON_GetObjectItem(b->root[5], "infeasible");
    cJSON_AddNumberToObject(inf, "<script>\"", 1);
    cJSON *list = cJSON_GetObjectItem(b->root[0], "answers");
    cJSON_AddItemToArray(
        list, fake_answer(&fake_gpt, (struct fake_plan){1, 1, 1}, 4, NAN));
    cJSON_SetValuestring(
        cJSON_GetObjectItem(
            cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1), "topology"),
        "<script>\"'&");
    const char *s = page(b, 0, FILES, NULL);
    EQ(count(s, "<script"), 0);
    EQ(count(s, "\"'>"), 0);
    STR_HAS(s, "&lt;script&gt;");
}

static void unknown_kind(void **state)
{
    struct box *b = *state;
    struct report_ask ask = {.file = b->file, .n = 1};
    cJSON_SetValuestring(cJSON_GetObjectItem(b->root[0], "kind"), "swep");
    EQ(report_html(&ask, &b->page, &b->e), false);
    EQ(b->e.kind, ERR_INPUT);
    STR_HAS(b->e.text, "fake.json: kind: must be run");
    STR_HAS(b->e.text, "got swep");
}

static void nothing_at_all(void **state)
{
    struct box *b = *state;
    STR_HAS(page(b, 0, 0, NULL), "</html>");
    struct fake_model m = {.name = "m"};
    cJSON *bare[] = {fake_file("sweep", &m, "w"),    fake_file("plan", &m, "w"),
                     fake_file("phases", &m, "w"),   fake_file("pair", &m, "w"),
                     fake_file("score", &m, "w"),    fake_file("run", &m, "w"),
                     fake_file("scaleout", &m, "w"), cJSON_CreateObject()};
    cJSON_AddStringToObject(bare[7], "kind", "sweep"); /* no scenario */
    for (int i = 0; i < FILES; i++) {
        struct answer_file f = {"f", bare[i]};
        struct report_ask ask = {.file = &f, .n = 1};
        str_free(&b->page);
        OK(report_html(&ask, &b->page, &b->e), b->e);
        STR_HAS(b->page.s, "</html>");
        json_free(bare[i]);
    }
}

/* A model without a plan and without both families has no card at the head. */
static void no_empty_card(void **state)
{
    struct box *b = *state;
    cJSON *root = fake_file("sweep", &fake_gpt, "w");
    fake_curve(cJSON_AddArrayToObject(root, "answers"), &fake_gpt,
               (struct fake_plan){0, 1, 2});
    struct answer_file f = {"f", root};
    struct report_ask ask = {.file = &f, .n = 1};
    OK(report_html(&ask, &b->page, &b->e), b->e);
    STR_HAS(b->page.s, "<main>\n<h2 id=\"pareto\">");
    json_free(root);
}

static void same_bytes(void **state)
{
    struct box *b = *state;
    char *first = strdup(page(b, 0, FILES, NULL));
    STR_EQ(page(b, 0, FILES, NULL), first);
    free(first);
}

/* A small page whole, but for its style sheet.  UPDATE=1 writes it anew; read
 * the difference. */
static void whole_page(void **state)
{
    struct box *b = *state;
    const char *s = strstr(page(b, 6, 1, NULL), "<body>");
    assert_non_null(s);
    if (getenv("UPDATE")) {
        FILE *f = fopen(golden, "w");
        assert_non_null(f);
        fputs(s, f);
        fclose(f);
    }
    struct arena *a = arena_open();
    char *want;
    size_t n;
    OK(file_read(golden, GOLDEN_BYTES, a, &want, &n, &b->e), b->e);
    STR_EQ(s, want);
    arena_close(a);
}

static void chart_file(void **state)
{
    struct box *b = *state;
    OK(report_svg(&b->file[0], &b->page, &b->e), b->e);
    STR_HAS(b->page.s, "<svg xmlns=");
    STR_HAS(b->page.s, "llama-3.3-70b-fp8-dynamic on mi300x");
    STR_HAS(b->page.s, ">2p-tp1-1d-tp2</text>");
    EQ(report_svg(&b->file[2], &b->page, &b->e), false);
    EQ(b->e.kind, ERR_INPUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, clear)
T_MAIN(TEST(every_kind), TEST(kinds_not_given_are_not_shown),
       TEST(self_contained), TEST(escapes), TEST(unknown_kind),
       TEST(nothing_at_all), TEST(no_empty_card), TEST(same_bytes),
       TEST(whole_page), TEST(chart_file))
