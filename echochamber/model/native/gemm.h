/* C (M, N) = A·B in float32 from cells, a word of PER products per lane and step (simd.h).
 *
 * The contraction runs over words. B is stored in words: one holds elements PER·k to PER·k + PER - 1 of a
 * column, words of a row k lie side by side. A's word for row i and step k is A[i·am + k·ak]: a row-major
 * matrix of cells has ak = 1, a matrix in words read as its transpose has am = 1. N is a multiple of 16.
 * Every element is summed over k in order, whatever M is: a row's result does not depend on its neighbours. */
#ifndef ECHO_GEMM_H
#define ECHO_GEMM_H
#include "vector.h"

INLINE void tile(const int mr, const int nr, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    vec acc[12][4];
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) acc[i][j] = add ? v_load(C + i * ldc + 16 * j) : v_zero();
    for (long k = 0; k < steps; k++) {
        wordvec b[4];
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) b[j] = w_load(B + k * ldb + 16 * j);
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++) {
            wordvec a = w_all(A[i * am + k * ak]);
#pragma GCC unroll 4
            for (int j = 0; j < nr; j++) acc[i][j] = w_multiply_add(acc[i][j], a, b[j]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) v_store(C + i * ldc + 16 * j, acc[i][j]);
}

#define TILE(mr, nr) tile(mr, nr, steps, A + i * am, am, ak, B, ldb, C + i * ldc, ldc, add)
#define PANEL(nr, mr)                                                                                                                     \
    static void panel_##nr(long M, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {   \
        long i = 0;                                                                                                                       \
        for (; i + mr <= M; i += mr) TILE(mr, nr);                                                                                        \
        if (mr > 6 && M - i >= 6) { TILE(6, nr); i += 6; }                                                                                \
        switch (M - i) {                                                                                                                  \
        case 5: TILE(5, nr); break;                                                                                                       \
        case 4: TILE(4, nr); break;                                                                                                       \
        case 3: TILE(3, nr); break;                                                                                                       \
        case 2: TILE(2, nr); break;                                                                                                       \
        case 1: TILE(1, nr); break;                                                                                                       \
        default: break;                                                                                                                   \
        }                                                                                                                                 \
    }
#if WIDE_PANELS
PANEL(4, 6)
PANEL(3, 8)
PANEL(2, 12)
PANEL(1, 12)
#else
PANEL(1, 6)
#endif

#if WIDE_PANELS
static void gemm(long M, long N, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    long n = 0;
    for (; n + 64 <= N; n += 64) panel_4(M, steps, A, am, ak, B + n, ldb, C + n, ldc, add);
    if (N - n == 48) panel_3(M, steps, A, am, ak, B + n, ldb, C + n, ldc, add);
    if (N - n == 32) panel_2(M, steps, A, am, ak, B + n, ldb, C + n, ldc, add);
    if (N - n == 16) panel_1(M, steps, A, am, ak, B + n, ldb, C + n, ldc, add);
}
#else
enum { DEPTH = 256, FEW = 12 }; /* steps of one column block kept in the first cache; rows for which copying it does not pay */

/* A column of vectors in B has one cache line per row, and a stride that may map all of them to few sets: where
 * many rows read it, it is copied first. Sums run over k in order either way, so the result is the same. */
static void gemm(long M, long N, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    word block[DEPTH * 16] __attribute__((aligned(64)));
    for (long k = 0; k < steps || (k == 0 && !add); k += DEPTH) {
        long depth = steps - k < DEPTH ? steps - k : DEPTH;
        for (long n = 0; n < N; n += 16) {
            const word *b = B + k * ldb + n;
            long ld = ldb;
            if (M >= FEW) {
                for (long t = 0; t < depth; t++) memcpy(block + 16 * t, b + t * ldb, 64);
                b = block;
                ld = 16;
            }
            panel_1(M, depth, A + k * ak, am, ak, b, ld, C + n, ldc, add || k > 0);
        }
    }
}
#endif

/* Rows PER·t to PER·t + PER - 1 of a row-major matrix of cells (rows, n) side by side: words along its rows. A missing last row is zero. */
static void words_of_rows(const cell *from, long stride, long rows, long n, word *to, long ld) {
    for (long t = 0; t < rows; t += PER) {
        const cell *a = from + t * stride, *b = t + 1 < rows ? a + stride : NULL;
        word *out = to + t / PER * ld;
        for (long i = 0; i < n; i += 16) join_cells(out + i, a + i, b ? b + i : NULL);
    }
}

/* A row-major matrix of cells (rows, PER·width) as (width, rows) words along its columns, for use as a transposed B. */
static void words_of_columns(const cell *from, long stride, long rows, long width, word *to, long ld) {
    for (long t = 0; t < rows; t++) {
        const cell *row = from + t * stride;
        for (long c = 0; c < width; c++) memcpy(to + c * ld + t, row + PER * c, 4);
    }
}

/* A float32 weight (n_out, n_in) for x·Wᵀ: in words along n_in, from column `at` of a matrix with `ld` columns. */
void echo_pack(const float *weight, long n_out, long n_in, word *to, long ld, long at) {
    for (long n = 0; n < n_out; n++)
        for (long k = 0; k < n_in; k += PER) to[k / PER * ld + at + n] = word_of(weight[n * n_in + k], weight[n * n_in + k + PER - 1]);
}

/* The same weight for y·W: in words along n_out, from row `at` on. n_out is even but for the last weight joined. */
void echo_pack_transposed(const float *weight, long n_out, long n_in, word *to, long at) {
    for (long n = 0; n < n_out; n += PER)
        for (long k = 0; k < n_in; k++)
            to[(at + n) / PER * n_in + k] = word_of(weight[n * n_in + k], n + 1 < n_out ? weight[(n + 1) * n_in + k] : 0.f);
}
#endif
