/* tandem report: answer files to one self-contained HTML page. */
#include "sim/report/report.h"

#include "sim/base/json.h"
#include "tools/cmd.h"

#include <string.h>

enum { REPORT_FILES = 256 };

struct report_options {
    struct cmd_common c;
    const char *html, *svg, *claims;
    const char *path[REPORT_FILES];
    size_t n;
};

enum { KEY_HTML = 0x100, KEY_SVG, KEY_CLAIMS };

static const struct argp_option report_rows[] = {
    {"html", KEY_HTML, "FILE", 0, "the page (- = stdout)", 1},
    {"svg", KEY_SVG, "FILE", 0, "the Pareto chart of the first sweep", 1},
    {"claims", KEY_CLAIMS, "FILE", 0, "claims to set beside the predictions",
     1},
    {0},
};

static error_t report_parse(int key, char *arg, struct argp_state *state)
{
    struct report_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_HTML:
        o->html = arg;
        return 0;
    case KEY_SVG:
        o->svg = arg;
        return 0;
    case KEY_CLAIMS:
        o->claims = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->n == REPORT_FILES)
            argp_error(state, "at most %d files", REPORT_FILES);
        o->path[o->n++] = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which answers?");
        return 0;
    case ARGP_KEY_END:
        if (!o->html && !o->svg)
            argp_error(state, "--html FILE or --svg FILE?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool report_put(const char *path, const struct str *text, struct err *e)
{
    struct file_out f;
    if (!file_out_open(&f, path, e))
        return false;
    fwrite(text->s, 1, text->n, f.f);
    return file_out_done(&f, e);
}

static bool report_svg_file(const struct report_options *o,
                            const struct answer_file *file, struct err *e)
{
    struct str text = {0};
    for (size_t i = 0; i < o->n; i++) {
        const char *kind = answer_text(file[i].root, "kind");
        if (!kind || strcmp(kind, "sweep") != 0)
            continue;
        bool ok = report_svg(&file[i], &text, e)
               && report_put(o->svg, &text, e);
        str_free(&text);
        return ok;
    }
    return err_set(e, ERR_INPUT, "--svg: no file of kind \"sweep\" was given");
}

static bool report_write(const struct report_options *o,
                         const struct answer_file *file, const cJSON *claims,
                         struct err *e)
{
    struct report_ask ask = {.file = file, .n = o->n, .claims = claims};
    struct str html = {0};
    bool ok = !o->html
           || (report_html(&ask, &html, e) && report_put(o->html, &html, e));
    str_free(&html);
    return ok && (!o->svg || report_svg_file(o, file, e));
}

static bool report_all(const struct report_options *o, struct err *e)
{
    cJSON *root[REPORT_FILES] = {0}, *claims = NULL;
    struct answer_file file[REPORT_FILES];
    bool ok = !o->claims || json_load(o->claims, &claims, e);
    for (size_t i = 0; ok && i < o->n; i++) {
        ok = json_load(o->path[i], &root[i], e);
        file[i] = (struct answer_file){o->path[i], root[i]};
    }
    ok = ok && report_write(o, file, claims, e);
    for (size_t i = 0; i < o->n; i++)
        json_free(root[i]);
    json_free(claims);
    return ok;
}

static int report_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.options = report_rows,
                        .parser = report_parse,
                        .args_doc = "ANSWER...",
                        .doc = "Makes one self-contained page of the files "
                               "that run, sweep --summary, phases and score "
                               "write.",
                        .children = child};
    struct report_options o = {0};
    struct err e = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    bool ok = report_all(&o, &e) && cmd_flush(&e);
    return ok ? 0 : cmd_fail(&e);
}

const struct cmd cmd_report = {"report", "answers to one HTML page",
                               report_main};
