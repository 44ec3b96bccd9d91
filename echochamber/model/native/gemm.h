/* C (M, N) = A·B in float32 from cells, a word of PER products per lane and step (simd.h).
 *
 * The contraction runs over words. B is stored in words: one holds elements PER·k to PER·k + PER - 1 of a
 * column; b_at says where word (k, n) lies. A's word for row i and step k is A[i·am + k·ak]: a row-major
 * matrix of cells has ak = 1, words of its rows read as the transpose have am = 1. N is a multiple of 16.
 * Every element is summed over k in order, whatever M is: a row's result does not depend on its neighbours. */
#ifndef ECHO_GEMM_H
#define ECHO_GEMM_H
#include "vector.h"

/* B in blocks of 16 columns: a block's steps lie one after another, `ld` words from one block to the next.
 * In rows, a column of vectors would have one cache line per row, and a stride that may map all to few sets. */
INLINE long b_ld(long steps, long columns) { (void)columns; return 16 * steps; }
INLINE long b_at(long k, long n, long ld) { return n / 16 * ld + k * 16 + n % 16; }
INLINE long b_step(long ld) { (void)ld; return 16; }

/* What a tile fetches while it computes: `by` bytes further at every step. A weight that lies in memory is then there when its turn comes. */
typedef struct {
    const char *from;
    long by;
} Ahead;

/* mr rows and nr columns of vectors; B's vectors are bk words apart along the steps and bn along the columns.
 * On AVX-512 sums begin with what C holds. Elsewhere that is fetched meanwhile and added last: no tile waits for memory. */
INLINE void tile(const int mr, const int nr, long steps, const word *A, long am, long ak, const word *B, long bk, long bn, float *C, long ldc, int add, Ahead next) {
    vec acc[12][4];
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) {
            acc[i][j] = WIDE_PANELS && add ? v_load(C + i * ldc + 16 * j) : v_zero();
            if (!WIDE_PANELS) __builtin_prefetch(C + i * ldc + 16 * j, 1);
        }
    for (long k = 0; k < steps; k++) {
        wordvec b[4];
        if (!WIDE_PANELS) __builtin_prefetch(next.from + k * next.by, 0, 2);
#pragma GCC unroll 4
        for (int j = 0; j < nr; j++) b[j] = w_load(B + k * bk + j * bn);
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
        for (int j = 0; j < nr; j++) v_store(C + i * ldc + 16 * j, !WIDE_PANELS && add ? v_add(v_load(C + i * ldc + 16 * j), acc[i][j]) : acc[i][j]);
}

#if WIDE_PANELS
enum { DEPTH = 128, GROUP = 4 }; /* steps, and blocks of 16 columns, of a part of B that stays in the first cache */
enum { COPIED = 96, COPY_FROM = 128 };

#define TILE(mr, nr) tile(mr, nr, steps, A + i * am, am, ak, B, 16, ldb, C + i * ldc, ldc, add, (Ahead){NULL, 0})
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
PANEL(4, 6)
PANEL(3, 8)
PANEL(2, 12)
PANEL(1, 12)
#undef TILE

/* All columns, for steps that are few enough. */
static void columns_in_panels(long M, long N, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    long n = 0;
    for (; n + 64 <= N; n += 64) panel_4(M, steps, A, am, ak, B + n / 16 * ldb, ldb, C + n, ldc, add);
    if (N - n == 48) panel_3(M, steps, A, am, ak, B + n / 16 * ldb, ldb, C + n, ldc, add);
    if (N - n == 32) panel_2(M, steps, A, am, ak, B + n / 16 * ldb, ldb, C + n, ldc, add);
    if (N - n == 16) panel_1(M, steps, A, am, ak, B + n / 16 * ldb, ldb, C + n, ldc, add);
}

static void gemm(long M, long N, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    for (long k = 0; k == 0 || k < steps; k += DEPTH)
        columns_in_panels(M, N, steps - k < DEPTH ? steps - k : DEPTH, A + k * ak, am, ak, B + k * 16, ldb, C, ldc, add || k > 0);
}
#else
enum { DEPTH = 256, GROUP = 2 }; /* steps, and blocks of 16 columns, that rows of A meet while they are in the first cache */

/* Rows of A that lie badly are copied, COPIED at once, where COPY_FROM columns or more pay for it. They lie badly if they are a
 * transposed matrix, another page at every step, or a multiple of 4 KiB apart, in one set of the first cache. */
enum { COPIED = 96, COPY_FROM = 128 };

#define TILE(mr, nr) tile(mr, nr, steps, A + i * am, am, ak, B + n * ldb, 16, ldb, C + i * ldc + 16 * n, ldc, add, AHEAD)

/* One to three rows: two or four blocks of columns at once, so that eight sums or more run side by side. */
static void few_rows(long M, long blocks, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add, const word *next) {
    long i = 0, n = 0;
#define AHEAD ((Ahead){(const char *)(next + n * ldb), 64})
    if (M == 1)
        for (; n + 4 <= blocks; n += 4) TILE(1, 4);
    for (; n + 2 <= blocks; n += 2) switch (M) {
        case 3: TILE(3, 2); break;
        case 2: TILE(2, 2); break;
        default: TILE(1, 2); break;
        }
    if (n < blocks) switch (M) {
        case 3: TILE(3, 1); break;
        case 2: TILE(2, 1); break;
        default: TILE(1, 1); break;
        }
#undef AHEAD
}

#undef TILE

/* Of M > 3 rows, those that go in sixes. The rest go by fours and fives. */
INLINE long in_sixes(long M) { return M % 6 == 1 || M % 6 == 2 ? (M - 6) / 6 * 6 : M / 6 * 6; }

/* Rows of the tile that begins at row i of M. */
INLINE long tile_rows(long M, long i) { return i < in_sixes(M) ? 6 : M - i > 5 ? 4 : M - i; }

/* More rows. Together the tiles of a block fetch the block that comes in its place. A copy holds a tile's rows side by side, step by step. */
INLINE void many_rows(const int copied, long M, long blocks, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add, const word *next) {
    long i = 0, n = 0;
#define TILE(mr)                                                                                                                                  \
    tile(mr, 1, steps, copied ? A + i * steps : A + i * am, copied ? 1 : am, copied ? mr : ak, B + n * ldb, 16, ldb, C + i * ldc + 16 * n, ldc, add, \
         (Ahead){(const char *)(next + n * ldb) + i * steps * 64 / M, 6 * 64 / M})
    for (; i < in_sixes(M); i += 6)
        for (n = 0; n < blocks; n++) TILE(6);
    for (long rows; i < M; i += rows) {
        rows = tile_rows(M, i);
        for (n = 0; n < blocks; n++) switch (rows) {
            case 5: TILE(5); break;
            case 4: TILE(4); break;
            case 3: TILE(3); break;
            case 2: TILE(2); break;
            default: TILE(1); break;
            }
    }
#undef TILE
}

static void rows_in_place(long M, long blocks, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add, const word *next) {
    many_rows(0, M, blocks, steps, A, am, ak, B, ldb, C, ldc, add, next);
}

static void copied_rows(long M, long blocks, long steps, const word *A, const word *B, long ldb, float *C, long ldc, int add, const word *next) {
    many_rows(1, M, blocks, steps, A, 0, 0, B, ldb, C, ldc, add, next);
}

static void copy_rows(long M, long steps, const word *A, long am, long ak, word *to) {
    for (long i = 0, rows; i < M; i += rows) {
        rows = tile_rows(M, i);
        for (long k = 0; k < steps; k++)
            for (long r = 0; r < rows; r++) *to++ = A[(i + r) * am + k * ak];
    }
}

/* gemm through copies of A; every element is the same sum. */
static void gemm_of_copies(long M, long N, long steps, long depth, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    word room[(COPIED + 6) * DEPTH];
    for (long i = 0, rows; i < M; i += rows) {
        rows = M - i < COPIED + 6 ? M - i : COPIED; /* no last block of three rows or fewer */
        for (long k = 0; k < steps; k += depth) {
            long count = steps - k < depth ? steps - k : depth;
            copy_rows(rows, count, A + i * am + k * ak, am, ak, room);
            for (long n = 0; n < N / 16; n += GROUP) {
                long blocks = N / 16 - n < GROUP ? N / 16 - n : GROUP;
                const word *here = B + n * ldb + k * 16;
                copied_rows(rows, blocks, count, room, here, ldb, C + i * ldc + 16 * n, ldc, add || k > 0, n + GROUP < N / 16 ? here + GROUP * ldb : here);
            }
        }
    }
}

static void gemm(long M, long N, long steps, const word *A, long am, long ak, const word *B, long ldb, float *C, long ldc, int add) {
    long parts = steps > DEPTH ? (steps + DEPTH - 1) / DEPTH : 1, depth = steps > 0 ? (steps + parts - 1) / parts : 1, group = M <= 3 ? N / 16 : GROUP;
    if (M > 3 && N >= COPY_FROM && steps > 0 && (ak != 1 || am % 1024 == 0)) {
        gemm_of_copies(M, N, steps, depth, A, am, ak, B, ldb, C, ldc, add);
        return;
    }
    for (long n = 0; n < N / 16; n += group) {
        long blocks = N / 16 - n < group ? N / 16 - n : group;
        for (long k = 0; k == 0 || k < steps; k += depth) {
            long count = steps - k < depth ? steps - k : depth;
            const word *here = B + n * ldb + k * 16;
            if (M <= 3) {
                few_rows(M, blocks, count, A + k * ak, am, ak, here, ldb, C + 16 * n, ldc, add || k > 0, here);
            } else {
                const word *next = k + depth < steps ? here + depth * 16 : n + group < N / 16 ? B + (n + group) * ldb : here;
                rows_in_place(M, blocks, count, A + k * ak, am, ak, here, ldb, C + 16 * n, ldc, add || k > 0, next);
            }
        }
    }
}
#endif

/* Where a product that is to become cells is written first: `wide`, or the cells themselves if those are float32. */
INLINE float *product_of(cell *cells, float *wide) { return PER == 1 ? (float *)cells : wide; }

/* n float32 numbers as cells: rounded into `room`, or the numbers themselves. */
INLINE const cell *cells_of(const float *numbers, cell *room, long n) {
    if (PER == 1) return (const cell *)numbers;
    copy_to_cells(numbers, room, n);
    return room;
}

/* Rows PER·t to PER·t + PER - 1 of a row-major matrix of cells (rows, n) side by side, as B. A missing last row is zero. */
static void words_of_rows(const cell *from, long stride, long rows, long n, word *to, long ld) {
    for (long t = 0; t < rows; t += PER) {
        const cell *a = from + t * stride, *b = t + 1 < rows ? a + stride : NULL;
        for (long i = 0; i < n; i += 16) join_cells(to + b_at(t / PER, i, ld), a + i, b ? b + i : NULL);
    }
}

/* The same in rows of n words, to be read as the transpose, A; where a word is one cell, those are there already. */
static const word *words_to_transpose(const cell *from, long rows, long n, word *room) {
    if (PER == 1) return (const word *)from;
    for (long t = 0; t < rows; t += PER) {
        const cell *a = from + t * n, *b = t + 1 < rows ? a + n : NULL;
        for (long i = 0; i < n; i += 16) join_cells(room + t / PER * n + i, a + i, b ? b + i : NULL);
    }
    return room;
}

/* A row-major matrix of cells (rows, PER·width) as (width, rows) words along its columns, for use as a transposed B. */
static void words_of_columns(const cell *from, long stride, long rows, long width, word *to, long ld) {
    long t = 0;
#ifdef TRANSPOSED
    for (; t + TRANSPOSED <= rows && width % TRANSPOSED == 0; t += TRANSPOSED)
        for (long c = 0; c < width; c += TRANSPOSED)
            w_transpose((const word *)(from + t * stride + PER * c), stride / PER, to + b_at(c, t, ld), b_step(ld));
#endif
    for (; t < rows; t++)
        for (long c = 0; c < width; c++) memcpy(to + b_at(c, t, ld), from + t * stride + PER * c, 4);
}

/* Steps [from, to) of B with `columns` columns become zero. */
static void clear_steps(word *B, long ld, long from, long to, long columns) {
    for (long k = from; k < to; k++)
        for (long n = 0; n < columns; n += 16) memset(B + b_at(k, n, ld), 0, 64);
}

/* out (rows, columns) = a·b of `contraction` cells, an even number, a in rows and b as the engine packs it: to be timed. */
void echo_multiply(long rows, long columns, long contraction, const word *a, const word *b, float *out) {
    long steps = contraction / PER;
    gemm(rows, columns, steps, a, steps, 1, b, b_ld(steps, columns), out, columns, 0);
}

/* A float32 weight (n_out, n_in) for x·Wᵀ: in words along n_in, from column `at` of a matrix with `columns` columns. */
void echo_pack(const float *weight, long n_out, long n_in, word *to, long columns, long at) {
    long ld = b_ld(n_in / PER, columns);
#ifdef ECHO_FLOAT32
    words_of_columns(weight, n_in, n_out, n_in, to + b_at(0, at, ld), ld);
    return;
#endif
    for (long n = 0; n < n_out; n++)
        for (long k = 0; k < n_in; k += PER) to[b_at(k / PER, at + n, ld)] = word_of(weight[n * n_in + k], weight[n * n_in + k + PER - 1]);
}

/* The same weight for y·W: in words along n_out, from row `at` of `rows` rows on. n_out is even but for the last weight joined. */
void echo_pack_transposed(const float *weight, long n_out, long n_in, word *to, long rows, long at) {
    long ld = b_ld(rows / PER, n_in);
#ifdef ECHO_FLOAT32
    words_of_rows(weight, n_in, n_out, n_in, to + b_at(at, 0, ld), ld);
    return;
#endif
    for (long n = 0; n < n_out; n += PER)
        for (long k = 0; k < n_in; k++)
            to[b_at((at + n) / PER, k, ld)] = word_of(weight[n * n_in + k], n + 1 < n_out ? weight[(n + 1) * n_in + k] : 0.f);
}
#endif
