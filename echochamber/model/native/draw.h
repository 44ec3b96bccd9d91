/* One token of logits: the likeliest, or the one that a uniform draw falls on. */
#ifndef ECHO_DRAW_H
#define ECHO_DRAW_H
#include "head.h"

/* Draw t of a stream, in [0, 1): SplitMix64 as in core/random.py. */
INLINE double uniform(uint64_t stream, uint64_t t) {
    uint64_t z = stream + (t + 1) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

static long likeliest(const float *logits, long V) {
    long best = 0;
    for (long v = 1; v < V; v++)
        if (logits[v] > logits[best]) best = v;
    return best;
}

/* The first token whose cumulative share passes the draw; overwrites logits with shares. */
static long inverted(float *logits, long V, long Vp, float inverse_temperature, float lse, double draw) {
    vec it = v_all(inverse_temperature), z = v_all(lse);
    double total = 0, seen = 0;
    for (long v = 0; v < Vp; v += 16) {
        vec p = v_keep(columns_in(v, 0, V), exp16(v_fmsub(v_load(logits + v), it, z)));
        v_store(logits + v, p);
        total += v_sum(p);
    }
    /* Scaled by the total, so that a sum of 0.9999999 never leaves a draw without a token. */
    double target = draw * total;
    for (long v = 0; v < Vp; v += 16) {
        double block = v_sum(v_load(logits + v));
        if (seen + block <= target && v + 16 < Vp) { seen += block; continue; }
        for (long i = v; i < V && i < v + 16; i++) {
            seen += logits[i];
            if (seen > target) return i;
        }
    }
    return V - 1;
}
#endif
