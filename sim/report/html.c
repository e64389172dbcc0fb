#include "sim/report/html.h"

#include "sim/report/svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- escaping ---- */

/* Bytes of the UTF-8 letter at s, 0 when it is none (RFC 3629: shortest form,
 * no surrogates, nothing beyond U+10FFFF). */
static size_t letter(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
        || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(struct str *b, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (p && *p) {
        size_t n = letter(p);
        const char *named = entity(*p);
        if (named)
            str_add(b, named);
        else if (n == 0)
            str_add(b, "\xef\xbf\xbd"); /* U+FFFD */
        else if (n > 1 || (*p >= 0x20 && *p != 0x7f) || *p == '\n')
            str_addn(b, (const char *)p, n);
        p += n ? n : 1;
    }
}

void html_fmt(struct str *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t room = n < 0 ? 1 : (size_t)n + 1;
    char *text = malloc(room);
    if (!text)
        abort();
    if (n >= 0) {
        vsnprintf(text, room, fmt, again);
        html_text(b, text);
    }
    va_end(again);
    free(text);
}

/* ---- page ---- */

static const char style[] =
#include "gen/page.css.inc"
    ;

void html_open(struct str *b, const char *title)
{
    str_add(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
               "<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, "
               "initial-scale=1\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\""
               "default-src 'none'; style-src 'unsafe-inline'\">\n");
    html_tag(b, "title", title);
    str_fmt(b, "\n<style>\n%s%s</style>\n</head>\n<body>\n", style,
            svg_style());
}

void html_close(struct str *b)
{
    str_add(b, "</body>\n</html>\n");
}

void html_tag(struct str *b, const char *tag, const char *text)
{
    size_t n = 0;
    while (tag[n] && tag[n] != ' ')
        n++;
    str_fmt(b, "<%s>", tag);
    html_text(b, text);
    str_add(b, "</");
    str_addn(b, tag, n);
    str_add(b, ">");
}

/* ---- tables ---- */

void html_table(struct str *b, const char *const *heads)
{
    str_add(b, "<div class=\"frame\"><table><thead><tr>");
    for (; *heads; heads++) {
        bool number = **heads == '#';
        html_tag(b, number ? "th class=\"n\"" : "th", *heads + number);
    }
    str_add(b, "</tr></thead><tbody>\n");
}

void html_table_end(struct str *b)
{
    str_add(b, "</tbody></table></div>\n");
}

void html_num(struct str *b, const char *fmt, double v)
{
    char text[64];
    if (!isfinite(v)) {
        str_add(b, "<td class=\"n\">–</td>");
        return;
    }
    snprintf(text, sizeof text, fmt, v);
    html_tag(b, "td class=\"n\"", text);
}

void html_cell(struct str *b, const char *text)
{
    html_tag(b, "td", text ? text : "–");
}

void html_badge(struct str *b, const char *tone, const char *text)
{
    str_fmt(b, "<span class=\"badge %s\">", tone);
    html_text(b, text);
    str_add(b, "</span>");
}
