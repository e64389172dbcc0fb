#include "sim/report/svg.h"

#include "tests/t.h"

#include <math.h>

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static const struct svg_point points[] = {
    {1, 10, "first"}, {2, 20, "a < b"}, {3, NAN, NULL}, {4, 40, "last"}};

static struct svg_chart chart(struct svg_series *s)
{
    *s = (struct svg_series){.name = "agg-tp1",
                             .tone = 'a',
                             .shade = 1,
                             .mark = SVG_CIRCLE,
                             .line = true,
                             .label = true,
                             .point = points,
                             .n = 4};
    return (struct svg_chart){.title = "T & U",
                              .x = {.title = "x", .lo = NAN, .hi = NAN},
                              .y = {.title = "y", .lo = NAN, .hi = NAN},
                              .series = s,
                              .n = 1};
}

static void marks_and_line(void **state)
{
    struct svg_series s;
    struct svg_chart c = chart(&s);
    struct str b = {0};
    (void)state;
    svg_plot(&b, &c);
    EQ(count(b.s, "<circle"), 4); /* three points and the legend */
    STR_HAS(b.s, "<title>a &lt; b</title>");
    STR_HAS(b.s, "aria-label=\"T &amp; U\"");
    /* the hole breaks the line: two pieces */
    const char *path = strstr(b.s, "class=\"l\" d=\"");
    assert_non_null(path);
    path = strstr(path, "d=\"") + 3;
    size_t pens = 0;
    for (; *path != '"'; path++)
        pens += *path == 'M';
    EQ(pens, 2);
    EQ(count(b.s, "nan"), 0);
    EQ(count(b.s, "inf"), 0);
    EQ(count(b.s, "class=\"v\""), 1);
    str_free(&b);
}

static void outside_is_left_out(void **state)
{
    struct svg_series s;
    struct svg_chart c = chart(&s);
    struct str b = {0};
    (void)state;
    c.y.hi = 15;
    svg_plot(&b, &c);
    EQ(count(b.s, "<circle"), 2);
    STR_HAS(b.s, "first");
    EQ(count(b.s, "last"), 0);
    str_free(&b);
}

static void log_axes_pass_over_zero(void **state)
{
    static const struct svg_point p[] = {
        {0, 5, NULL}, {1, 1, NULL}, {10, 100, NULL}};
    struct svg_series s;
    struct svg_chart c = chart(&s);
    struct str b = {0};
    (void)state;
    s.point = p;
    s.n = 3;
    c.x.log = c.y.log = true;
    svg_plot(&b, &c);
    EQ(count(b.s, "<circle"), 3);
    EQ(count(b.s, "nan"), 0);
    EQ(count(b.s, "inf"), 0);
    str_free(&b);
}

static void a_chart_without_points(void **state)
{
    struct svg_series s;
    struct svg_chart c = chart(&s);
    struct str b = {0};
    (void)state;
    c.n = 0;
    svg_plot(&b, &c);
    STR_HAS(b.s, "</svg>");
    EQ(count(b.s, "nan"), 0);
    EQ(count(b.s, "inf"), 0);
    str_free(&b);
}

static void every_mark_and_band(void **state)
{
    static const struct svg_band band = {1.5, 99, "here"};
    struct svg_series s[5];
    struct svg_chart c = chart(&s[0]);
    struct str b = {0};
    (void)state;
    for (int i = 0; i < 5; i++) {
        s[i] = s[0];
        s[i].mark = (enum svg_mark)(i + 1);
        s[i].hollow = i % 2;
    }
    c.n = 5;
    c.band = &band;
    c.n_bands = 1;
    svg_plot(&b, &c);
    STR_HAS(b.s, "class=\"h\"");
    STR_HAS(b.s, "class=\"m\"");
    STR_HAS(b.s, "class=\"o\"");
    STR_HAS(b.s, "class=\"band\"");
    STR_HAS(b.s, ">here</text>");
    str_free(&b);
}

/* Well-formed: tags nest, no stray markup in text. */
static void nests(const char *s)
{
    char open[64][16];
    int n = 0;
    for (const char *p = s; (p = strchr(p, '<')); p++) {
        char name[16] = {0};
        const char *end = strchr(p, '>');
        assert_non_null(end);
        size_t len = strcspn(p + 1 + (p[1] == '/'), " />\n");
        assert_true(len > 0 && len < sizeof name);
        memcpy(name, p + 1 + (p[1] == '/'), len);
        if (p[1] == '/') {
            assert_true(n > 0);
            STR_EQ(open[--n], name);
        } else if (end[-1] != '/') {
            assert_true(n < 64);
            strcpy(open[n++], name);
        }
    }
    EQ(n, 0);
}

static void a_file_of_its_own(void **state)
{
    struct svg_series s;
    struct svg_chart c = chart(&s);
    struct str b = {0};
    (void)state;
    s.name = "</svg><script>";
    c.title = "\"<b>";
    c.x.title = "<i>";
    svg_file(&b, &c);
    STR_HAS(b.s, "xmlns=\"http://www.w3.org/2000/svg\"");
    STR_HAS(b.s, "prefers-color-scheme");
    EQ(count(b.s, "<script"), 0);
    EQ(count(b.s, "</svg>"), 1);
    nests(b.s);
    str_free(&b);
}

T_MAIN(cmocka_unit_test(marks_and_line), cmocka_unit_test(outside_is_left_out),
       cmocka_unit_test(log_axes_pass_over_zero),
       cmocka_unit_test(a_chart_without_points),
       cmocka_unit_test(every_mark_and_band),
       cmocka_unit_test(a_file_of_its_own))
