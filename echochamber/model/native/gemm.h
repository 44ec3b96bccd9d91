/* C (M, N) = A·B in float32 from bf16 operands, two products per lane and instruction (vdpbf16ps).
 *
 * The contraction runs over pairs. B is stored "paired": one 32-bit word holds elements 2k and 2k+1 of a
 * column, words of a row k lie side by side. A's word for row i and pair k is A[i·am + k·ak]: a row-major
 * bf16 matrix has ak = 1, a paired matrix read as its transpose has am = 1. N is a multiple of 16.
 * Every element is summed over k in order, whatever M is: a row's result does not depend on its neighbours. */
#ifndef ECHO_GEMM_H
#define ECHO_GEMM_H
#include "vector.h"

typedef uint32_t pair;

INLINE void tile(const int mr, const int nr, long pairs, const pair *A, long am, long ak, const pair *B, long ldb, float *C, long ldc, int add) {
    __m512 acc[12][4];
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) acc[i][j] = add ? _mm512_loadu_ps(C + i * ldc + 16 * j) : _mm512_setzero_ps();
    for (long k = 0; k < pairs; k++) {
        __m512i b[4];
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) b[j] = _mm512_loadu_si512(B + k * ldb + 16 * j);
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++) {
            __m512i a = _mm512_set1_epi32((int)A[i * am + k * ak]);
#pragma GCC unroll 4
            for (int j = 0; j < nr; j++) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], (__m512bh)a, (__m512bh)b[j]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) _mm512_storeu_ps(C + i * ldc + 16 * j, acc[i][j]);
}

#define TILE(mr, nr) tile(mr, nr, pairs, A + i * am, am, ak, B, ldb, C + i * ldc, ldc, add)
#define PANEL(nr, mr)                                                                                                                     \
    static void panel_##nr(long M, long pairs, const pair *A, long am, long ak, const pair *B, long ldb, float *C, long ldc, int add) {   \
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
PANEL(4, 6)
PANEL(3, 8)
PANEL(2, 12)
PANEL(1, 12)

static void gemm(long M, long N, long pairs, const pair *A, long am, long ak, const pair *B, long ldb, float *C, long ldc, int add) {
    long n = 0;
    for (; n + 64 <= N; n += 64) panel_4(M, pairs, A, am, ak, B + n, ldb, C + n, ldc, add);
    if (N - n == 48) panel_3(M, pairs, A, am, ak, B + n, ldb, C + n, ldc, add);
    if (N - n == 32) panel_2(M, pairs, A, am, ak, B + n, ldb, C + n, ldc, add);
    if (N - n == 16) panel_1(M, pairs, A, am, ak, B + n, ldb, C + n, ldc, add);
}

/* Rows 2t and 2t+1 of a row-major bf16 matrix (rows, n) side by side: paired along its rows. An odd last row pairs with zero. */
static void pair_rows(const bf16 *from, long stride, long rows, long n, pair *to, long ld) {
    for (long t = 0; t < rows; t += 2) {
        const bf16 *a = from + t * stride, *b = a + stride;
        pair *out = to + t / 2 * ld;
        for (long i = 0; i < n; i += 16) {
            __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(a + i))), high = _mm512_setzero_si512();
            if (t + 1 < rows) high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(b + i))), 16);
            _mm512_storeu_si512(out + i, _mm512_or_si512(low, high));
        }
    }
}

/* A row-major bf16 matrix (rows, 2·half) as (half, rows) words: paired along its columns, for use as a transposed B. */
static void pair_columns(const bf16 *from, long stride, long rows, long half, pair *to, long ld) {
    for (long t = 0; t < rows; t++) {
        const bf16 *row = from + t * stride;
        for (long c = 0; c < half; c++) {
            pair word;
            memcpy(&word, row + 2 * c, 4);
            to[c * ld + t] = word;
        }
    }
}

INLINE bf16 round_bf16(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

INLINE pair pair_of(float low, float high) { return (pair)round_bf16(low) | ((pair)round_bf16(high) << 16); }

/* A float32 weight (n_out, n_in) for x·Wᵀ: paired along n_in, from column `at` of a matrix with `ld` columns. */
void echo_pack(const float *weight, long n_out, long n_in, pair *to, long ld, long at) {
    for (long n = 0; n < n_out; n++)
        for (long k = 0; k < n_in; k += 2) to[k / 2 * ld + at + n] = pair_of(weight[n * n_in + k], weight[n * n_in + k + 1]);
}

/* The same weight for y·W: paired along n_out, from row pair `at`/2. n_out is even but for the last weight joined. */
void echo_pack_transposed(const float *weight, long n_out, long n_in, pair *to, long at) {
    for (long n = 0; n < n_out; n += 2)
        for (long k = 0; k < n_in; k++)
            to[(at + n) / 2 * n_in + k] = pair_of(weight[n * n_in + k], n + 1 < n_out ? weight[(n + 1) * n_in + k] : 0.f);
}
#endif
