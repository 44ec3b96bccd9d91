/* Threads that compute one thing together: where they wait for each other, and which columns are whose. */
#ifndef ECHO_TEAM_H
#define ECHO_TEAM_H
#include <sched.h>

/* `size` threads; a team of one never waits. */
typedef struct {
    long size, arrived, round;
} Team;

enum { SPINS = 4096 }; /* looks at the others before a thread offers its core: barriers are some microseconds apart */

INLINE void look_again(long spins) {
    if (spins >= SPINS) sched_yield();
#ifdef __x86_64__
    else __builtin_ia32_pause();
#endif
}

/* Wait until all threads of the team are here; what they wrote before is seen after. */
static void meet(Team *t) {
    if (t->size == 1) return;
    long round = __atomic_load_n(&t->round, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&t->arrived, 1, __ATOMIC_ACQ_REL) == t->size) {
        __atomic_store_n(&t->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&t->round, round + 1, __ATOMIC_RELEASE);
        return;
    }
    for (long spins = 0; __atomic_load_n(&t->round, __ATOMIC_ACQUIRE) == round; spins++) look_again(spins);
}

/* Columns [from, to) of member `me`: whole tiles of 64 where the width has them, else vectors of 16. */
typedef struct {
    long from, to;
} Part;

INLINE Part part_of(long columns, long me, long size) {
    long unit = columns % 64 == 0 && columns >= 64 * size ? 64 : 16, units = columns / unit;
    return (Part){units * me / size * unit, units * (me + 1) / size * unit};
}
#endif
