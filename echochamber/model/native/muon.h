/* The orthogonal factor of many matrices at once by Newton-Schulz (Jordan et al. 2024, Muon): quintic steps
 * X <- a·X + (b·XXᵀ + c·(XXᵀ)²)·X in bf16 with float32 sums, from X = G / |G|. */
#ifndef ECHO_MUON_H
#define ECHO_MUON_H
#include "decode.h"

/* One matrix (rows, columns), both multiples of 16; out may be the input. */
static void orthogonalise(const float *grad, long rows, long columns, float *out, long steps, const float *abc, float eps) {
    long tall = rows > columns, m = tall ? columns : rows, n = tall ? rows : columns;
    float *product = scratch(m * n * 4), *gram = scratch(m * m * 4), *square = scratch(m * m * 4);
    bf16 *x = scratch(m * n * 2), *g = scratch(m * m * 2);
    pair *across = scratch(m * n * 2), *down = scratch(m * n * 2), *squared = scratch(m * m * 2);
    __m512 sum = _mm512_setzero_ps();
    for (long i = 0; i < rows * columns; i += 16) {
        __m512 v = _mm512_loadu_ps(grad + i);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    float norm = sqrtf(_mm512_reduce_add_ps(sum)), inverse = 1.f / (norm > eps ? norm : eps);
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) product[i * n + j] = grad[tall ? j * m + i : i * n + j] * inverse;
    copy_to_bf16(product, x, m * n);
    for (long step = 0; step < steps; step++) {
        pair_columns(x, n, m, n / 2, across, m);
        gemm(m, m, n / 2, (const pair *)x, n / 2, 1, across, m, gram, m, 0);
        copy_to_bf16(gram, g, m * m);
        pair_rows(g, m, m, m, squared, m);
        gemm(m, m, m / 2, (const pair *)g, m / 2, 1, squared, m, square, m, 0);
        for (long i = 0; i < m * m; i++) gram[i] = abc[1] * gram[i] + abc[2] * square[i];
        copy_to_bf16(gram, g, m * m);
        pair_rows(x, n, m, n, down, n);
        gemm(m, n, m / 2, (const pair *)g, m / 2, 1, down, n, product, n, 0);
        for (long i = 0; i < m * n; i += 16)
            to_bf16(x + i, _mm512_fmadd_ps(_mm512_set1_ps(abc[0]), from_bf16(x + i), _mm512_loadu_ps(product + i)));
    }
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            uint32_t bits = (uint32_t)x[i * n + j] << 16;
            memcpy(out + (tall ? j * m + i : i * n + j), &bits, 4);
        }
    free(product); free(gram); free(square); free(x); free(g); free(across); free(down); free(squared);
}

/* `num` matrices in place; each is one thread's. */
void echo_orthogonalise(float *const *matrices, const int64_t *shapes, long num, long steps, double a, double b, double c, double eps, long threads) {
    float abc[3] = {(float)a, (float)b, (float)c};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (long i = 0; i < num; i++) orthogonalise(matrices[i], shapes[2 * i], shapes[2 * i + 1], matrices[i], steps, abc, (float)eps);
}
#endif
