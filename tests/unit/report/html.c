#include "sim/report/html.h"

#include "tests/t.h"

#include <math.h>

static void escaped(const char *raw, const char *want)
{
    struct str b = {0};
    str_add(&b, "");
    html_text(&b, raw);
    STR_EQ(b.s, want);
    str_free(&b);
}

static void markup(void **state)
{
    (void)state;
    escaped("<script>alert(\"1\")</script>",
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    escaped("a & b's", "a &amp; b&#39;s");
    escaped(NULL, "");
}

static void bytes(void **state)
{
    (void)state;
    escaped("a\x01"
            "b\x1b[0m\x7f\nc",
            "ab[0m\nc");
    escaped("µs ≤ 🙂", "µs ≤ 🙂");
    /* lone continuation, cut sequence, overlong "/", surrogate, too far */
    escaped("\x80", "\xef\xbf\xbd");
    escaped("\xe2\x89", "\xef\xbf\xbd\xef\xbf\xbd");
    escaped("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
    escaped("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    escaped("\xf4\x90\x80\x80",
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    escaped("\xe2<", "\xef\xbf\xbd&lt;"); /* does not swallow what follows */
}

static void pieces(void **state)
{
    static const char *const heads[] = {"Name", "#N <", NULL};
    struct str b = {0};
    (void)state;
    html_table(&b, heads);
    str_add(&b, "<tr>");
    html_cell(&b, "<x>");
    html_cell(&b, NULL);
    html_num(&b, "%.1f", 2.25);
    html_num(&b, "%.1f", NAN);
    html_num(&b, "%.1f", INFINITY);
    html_fmt(&b, "%s%d", "<", 3);
    html_tag(&b, "td class=\"w\"", "'");
    html_badge(&b, "no", "&");
    html_table_end(&b);
    STR_EQ(b.s,
           "<div class=\"frame\"><table><thead><tr><th>Name</th>"
           "<th class=\"n\">N &lt;</th></tr></thead><tbody>\n"
           "<tr><td>&lt;x&gt;</td><td>–</td><td class=\"n\">2.2</td>"
           "<td class=\"n\">–</td><td class=\"n\">–</td>&lt;3"
           "<td class=\"w\">&#39;</td><span class=\"badge no\">&amp;</span>"
           "</tbody></table></div>\n");
    str_free(&b);
}

static void page(void **state)
{
    struct str b = {0};
    (void)state;
    html_open(&b, "</title><b>");
    html_close(&b);
    STR_HAS(b.s, "<title>&lt;/title&gt;&lt;b&gt;</title>");
    STR_HAS(b.s, "prefers-color-scheme");
    STR_HAS(b.s, "default-src 'none'");
    STR_HAS(b.s, "</html>\n");
    str_free(&b);
}

T_MAIN(cmocka_unit_test(markup), cmocka_unit_test(bytes),
       cmocka_unit_test(pieces), cmocka_unit_test(page))
