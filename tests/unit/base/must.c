#include "sim/base/must.h"

#include "tests/t.h"

static void holds_and_evaluates_once(void **state)
{
    (void)state;
    int n = 0;
    must(++n);
    EQ(n, 1);
}

/* What a failing must() says, read from a child's stderr. */
static void says_what_where_and_which_run(void **state)
{
    (void)state;
    int ends[2];
    EQ(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        must_context = "run 3, seed 42";
        must(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = {0};
    size_t n = 0;
    for (ssize_t got;
         n < sizeof text - 1
         && (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(ends[0]);
    int status;
    EQ(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    EQ(WTERMSIG(status), SIGABRT);
    STR_HAS(text, "1 + 1 == 3");
    STR_HAS(text, "must.c:");
    STR_HAS(text, "(run 3, seed 42)");
}

T_MAIN(cmocka_unit_test(holds_and_evaluates_once),
       cmocka_unit_test(says_what_where_and_which_run))
