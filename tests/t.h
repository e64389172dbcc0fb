/* t - a thin layer over cmocka: failures print both sides.
 * A test program is a main() with cmocka_run_group_tests, or T_MAIN.  One
 * thread. */
#ifndef TESTS_T_H
#define TESTS_T_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { T_SKIPPED = 77 }; /* automake's exit status of a skipped test */

static inline void t_eq(long long a, long long b, const char *sa,
                        const char *sb, const char *file, int line)
{
    if (a == b)
        return;
    print_error("%s = %lld, %s = %lld\n", sa, a, sb, b);
    _fail(file, line);
}

static inline void t_near(double a, double b, double tol, const char *sa,
                          const char *sb, const char *file, int line)
{
    if (fabs(a - b) <= tol || a == b)
        return;
    print_error("%s = %.17g, %s = %.17g, apart by %g > %g\n", sa, a, sb, b,
                fabs(a - b), tol);
    _fail(file, line);
}

static inline void t_str(const char *a, const char *b, const char *sa,
                         const char *file, int line)
{
    if (a == b || (a && b && strcmp(a, b) == 0))
        return;
    print_error("%s =\n  \"%s\", wanted\n  \"%s\"\n", sa, a ? a : "(NULL)",
                b ? b : "(NULL)");
    _fail(file, line);
}

static inline void t_has(const char *text, const char *part, const char *file,
                         int line)
{
    if (text && strstr(text, part))
        return;
    print_error("\"%s\"\n  does not hold \"%s\"\n", text ? text : "(NULL)",
                part);
    _fail(file, line);
}

#define T_NO_DOUBLE(x)                                                         \
    _Static_assert(_Generic((x), double : 0, float : 0, default : 1),          \
                   "doubles are compared with NEAR")

/* Integers (bool, enum, any width); prints both. */
#define EQ(a, b)                                                               \
    do {                                                                       \
        T_NO_DOUBLE(a);                                                        \
        T_NO_DOUBLE(b);                                                        \
        t_eq((long long)(a), (long long)(b), #a, #b, __FILE__, __LINE__);      \
    } while (0)
/* |a - b| <= tol; NAN never is. */
#define NEAR(a, b, tol) t_near((a), (b), (tol), #a, #b, __FILE__, __LINE__)
#define STR_EQ(a, b) t_str((a), (b), #a, __FILE__, __LINE__)
/* part is somewhere in text. */
#define STR_HAS(text, part) t_has((text), (part), __FILE__, __LINE__)
/* A call that takes &e: prints its sentence when it fails. */
#define OK(call, e)                                                            \
    do {                                                                       \
        if (!(call)) {                                                         \
            print_error("%s: %s\n", #call, (e).text);                          \
            _fail(__FILE__, __LINE__);                                         \
        }                                                                      \
    } while (0)

/* stmt stops the program: must() failed, in a child whose stderr is closed. */
#define DIES(stmt)                                                             \
    do {                                                                       \
        fflush(NULL);                                                          \
        pid_t t_pid = fork();                                                  \
        if (t_pid == 0) {                                                      \
            close(STDERR_FILENO);                                              \
            signal(SIGABRT, SIG_DFL);                                          \
            stmt;                                                              \
            _exit(0);                                                          \
        }                                                                      \
        int t_status = 0;                                                      \
        EQ(waitpid(t_pid, &t_status, 0), t_pid);                               \
        if (!WIFSIGNALED(t_status) || WTERMSIG(t_status) != SIGABRT) {         \
            print_error("%s lives\n", #stmt);                                  \
            _fail(__FILE__, __LINE__);                                         \
        }                                                                      \
    } while (0)

/* From main: says why and ends the program as skipped. */
static inline _Noreturn void skip_all(const char *reason)
{
    printf("skipped: %s\n", reason);
    exit(T_SKIPPED);
}

/* A new folder; t_undir removes it and the plain files in it. */
static inline char *t_dir(void)
{
    const char *base = getenv("TMPDIR");
    size_t room = (base ? strlen(base) : 4) + 32;
    char *dir = malloc(room);
    if (!dir)
        abort();
    snprintf(dir, room, "%s/tandem-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(dir))
        abort();
    return dir;
}

/* Names in dir; removes them when asked. */
static inline int t_files(const char *dir, int remove_them)
{
    DIR *d = opendir(dir);
    int n = 0;
    if (!d)
        return -1;
    for (struct dirent *i; (i = readdir(d));) {
        if (strcmp(i->d_name, ".") == 0 || strcmp(i->d_name, "..") == 0)
            continue;
        n++;
        if (remove_them)
            unlinkat(dirfd(d), i->d_name, 0);
    }
    closedir(d);
    return n;
}

static inline void t_undir(char *dir)
{
    t_files(dir, 1);
    rmdir(dir);
    free(dir);
}

#define T_MAIN(...)                                                            \
    int main(void)                                                             \
    {                                                                          \
        const struct CMUnitTest t_tests[] = {__VA_ARGS__};                     \
        return cmocka_run_group_tests(t_tests, NULL, NULL) != 0;               \
    }

#endif
