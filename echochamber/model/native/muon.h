/* The orthogonal factor of many matrices at once by Newton-Schulz (Jordan et al. 2024, Muon): quintic steps
 * X <- a·X + (b·XXᵀ + c·(XXᵀ)²)·X in cells with float32 sums, from X = G / |G|. */
#ifndef ECHO_MUON_H
#define ECHO_MUON_H
#include "decode.h"

/* One matrix (rows, columns), both multiples of 16; out may be the input. */
static void orthogonalise(const float *grad, long rows, long columns, float *out, long steps, const float *abc, float eps) {
    long tall = rows > columns, m = tall ? columns : rows, n = tall ? rows : columns;
    float *product = scratch(m * n * 4), *gram = scratch(m * m * 4), *square = scratch(m * m * 4);
    cell *x = scratch(m * n * CELL), *g = scratch(m * m * CELL);
    word *across = scratch(m * n * CELL), *down = scratch(m * n * CELL), *squared = scratch(m * m * CELL);
    vec sum = v_zero();
    for (long i = 0; i < rows * columns; i += 16) {
        vec v = v_load(grad + i);
        sum = v_fmadd(v, v, sum);
    }
    float norm = sqrtf(v_sum(sum)), inverse = 1.f / (norm > eps ? norm : eps);
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) product[i * n + j] = grad[tall ? j * m + i : i * n + j] * inverse;
    copy_to_cells(product, x, m * n);
    for (long step = 0; step < steps; step++) {
        words_of_columns(x, n, m, n / PER, across, b_ld(n / PER, m));
        times_weight(m, x, n, across, m, gram);
        copy_to_cells(gram, g, m * m);
        words_of_rows(g, m, m, m, squared, b_ld(m / PER, m));
        times_weight(m, g, m, squared, m, square);
        for (long i = 0; i < m * m; i++) gram[i] = abc[1] * gram[i] + abc[2] * square[i];
        copy_to_cells(gram, g, m * m);
        words_of_rows(x, n, m, n, down, b_ld(m / PER, n));
        times_weight(m, g, m, down, n, product);
        for (long i = 0; i < m * n; i += 16)
            write_cells(x + i, v_fmadd(v_all(abc[0]), read_cells(x + i), v_load(product + i)));
    }
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            out[tall ? j * m + i : i * n + j] = cell_value(x[i * n + j]);
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
