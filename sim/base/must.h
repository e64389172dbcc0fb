/* must - mistakes of ours stop the program here; the world's go to err.h.
 * must() stays on in release builds and is O(1); dbg() is for O(n) checks and
 * compiles to nothing unless DEBUG is defined.  Neither returns on failure.
 * MUST_CONTEXT (run and seed) is thread-local text printed with a failure. */
#ifndef SIM_BASE_MUST_H
#define SIM_BASE_MUST_H

/* Text that names the run on this thread, or NULL.  Not owned. */
extern _Thread_local const char *must_context;

_Noreturn void must_fail(const char *cond, const char *file, int line);

#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
#ifdef DEBUG
#define dbg(cond) must(cond)
#else
#define dbg(cond) ((void)0)
#endif

#endif
