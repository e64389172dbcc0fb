/* The real Perfetto trace processor opens what `tandem run --trace` writes:
 * python's perfetto package, and its shell, which that fetches once. */
#include "tests/t.h"

/* Errors of the import, then what was found. */
static const char script[] =
    "import sys\n"
    "from perfetto.trace_processor import TraceProcessor\n"
    "t = TraceProcessor(trace=sys.argv[1])\n"
    "def one(q): return [list(r.__dict__.values())[0] for r in t.query(q)][0]\n"
    "bad = [(r.name, r.value) for r in t.query(\"select name, value from stats "
    "where severity in ('error', 'data_loss') and value > 0\")]\n"
    "print(len(bad), one('select count(*) as n from thread_slice'), "
    "one('select count(*) as n from flow'), *bad)\n";

static int answer(const char *command, char *out, size_t room)
{
    FILE *p = popen(command, "r");
    size_t n = p ? fread(out, 1, room - 1, p) : 0;
    out[n] = '\0';
    return p ? pclose(p) : -1;
}

int main(void)
{
    char line[4096], command[8192];
    char *dir = t_dir();
    long bad = -1, slices = 0, flows = 0;
    if (access("build/tandem", X_OK) != 0)
        skip_all("there is no build/tandem");
    if (system("python3 -c 'import perfetto' 2>/dev/null") != 0)
        skip_all("python has no perfetto package");
    snprintf(command, sizeof command,
             "build/tandem run scenarios/bench/2p-tp1-1d-tp2-c64.json --quiet "
             "--set load.requests=200 --trace %s/t.json > /dev/null",
             dir);
    if (system(command) != 0)
        return 1;
    setenv("SCRIPT", script, 1);
    snprintf(command, sizeof command,
             "python3 -c \"$SCRIPT\" %s/t.json 2> %s/err", dir, dir);
    if (answer(command, line, sizeof line) != 0) {
        t_undir(dir);
        skip_all("perfetto's trace processor cannot be fetched or started");
    }
    t_undir(dir);
    printf("%s", line);
    if (sscanf(line, "%ld %ld %ld", &bad, &slices, &flows) != 3)
        return 1;
    return bad != 0 || slices < 1000 || flows != 200;
}
