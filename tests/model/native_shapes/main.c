/* Every entry of the engine in C on odd shapes, against the plain loops of reference.h. Prints the largest differences; exits 1 above the limit. */
#include "reference.h"

static const Shape SHAPES[] = {
    /* D, F, H, K, C, L, V, threads */
    {16, 16, 1, 1, 16, 1, 2, 1},   {48, 80, 8, 1, 16, 2, 17, 3}, {64, 96, 4, 2, 16, 2, 300, 2}, {256, 720, 4, 2, 64, 2, 304, 2} /* threads split columns */,
    {32, 208, 2, 1, 48, 1, 33, 2}, {80, 32, 2, 2, 256, 1, 50, 2}, {112, 144, 7, 7, 16, 1, 31, 4},
};
static const double LIMIT = PER == 1 ? 2e-4 : 6e-2;

static double worst;
static void compare(const char *what, double found, double expected, double scale) {
    double off = fabs(found - expected) / (fabs(scale) > 1e-3 ? fabs(scale) : 1e-3);
    if (!(off <= LIMIT)) {
        printf("%s: found %g, expected %g, off by %g\n", what, found, expected, off);
        exit(1);
    }
    if (off > worst) worst = off;
}

static float *floats(const double *from, long n) {
    float *to = scratch(n * 4 + 64);
    for (long i = 0; i < n; i++) to[i] = (float)from[i];
    return to;
}

static word *packed(const double *weight, long n_out, long n_in, int transposed) {
    long wide = up16(n_out);
    word *to = scratch(wide * n_in * CELL);
    float *values = floats(weight, n_out * n_in);
    if (transposed) echo_pack_transposed(values, n_out, n_in, to, wide, 0);
    else echo_pack(values, n_out, n_in, to, wide, 0);
    free(values);
    return to;
}

typedef struct {
    Model m;
    Head h;
    Layer *layers;
} Engine;

static Engine engine_of(const Numbers *n) {
    Shape s = n->s;
    long W = (s.H + 2 * s.K) * s.C, A = s.H * s.C, positions = 512;
    Engine e = {{s.D, s.F, s.H, s.K, s.C, s.L, s.V, 0, 1e-5, NULL, NULL, NULL, NULL}, {s.D, s.V, up16(s.V), NULL, NULL}, calloc(s.L, sizeof(Layer))};
    float *cosine = scratch(positions * s.C * 4), *sine = scratch(positions * s.C * 4);
    for (long p = 0; p < positions; p++)
        for (long i = 0; i < s.C; i++) cosine[p * s.C + i] = cos(angle(p, i % (s.C / 2), s.C)), sine[p * s.C + i] = sin(angle(p, i % (s.C / 2), s.C));
    for (long l = 0; l < s.L; l++) {
        LayerNumbers w = n->layers[l];
        e.layers[l] = (Layer){packed(w.qkv, W, s.D, 0), packed(w.qkv, W, s.D, 1), packed(w.out, s.D, A, 0), packed(w.out, s.D, A, 1),
                              packed(w.gate_up, 2 * s.F, s.D, 0), packed(w.gate_up, 2 * s.F, s.D, 1), packed(w.down, s.D, s.F, 0), packed(w.down, s.D, s.F, 1),
                              floats(w.norm1, s.D), floats(w.norm2, s.D), floats(w.qkv_bias, W), floats(w.out_bias, s.D), floats(w.q_norm, s.C), floats(w.k_norm, s.C), 1};
    }
    e.m.cosine = cosine, e.m.sine = sine, e.m.norm = floats(n->norm, s.D), e.m.layers = e.layers;
    e.h.packed = packed(n->head, s.V, s.D, 0), e.h.packed_t = packed(n->head, s.V, s.D, 1);
    return e;
}

static void free_engine(Engine *e) {
    for (long l = 0; l < e->m.L; l++) {
        Layer w = e->layers[l];
        const void *all[] = {w.qkv, w.qkv_t, w.out, w.out_t, w.gate_up, w.gate_up_t, w.down, w.down_t, w.norm1, w.norm2, w.qkv_bias, w.out_bias, w.q_norm, w.k_norm};
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) free((void *)all[i]);
    }
    free((void *)e->m.cosine); free((void *)e->m.sine); free((void *)e->m.norm); free((void *)e->h.packed); free((void *)e->h.packed_t); free(e->layers);
}

/* A prompt of `prompt` tokens and completions of 13 that share it; prompt 0: one causal row. */
static See see_of(long T, long prompt) {
    See s = {T, calloc(T, 4), calloc(T, 4), calloc(T, 4), calloc(T, 4)};
    for (long t = 0; t < T; t++) {
        int inside = prompt > 0 && t >= prompt;
        s.own_start[t] = inside ? prompt + (t - prompt) / 13 * 13 : 0;
        s.shared_end[t] = inside ? prompt : 0;
        s.positions[t] = inside ? prompt + t - s.own_start[t] : t;
    }
    return s;
}

static void free_see(See *s) { free(s->positions); free(s->shared_start); free(s->shared_end); free(s->own_start); }

static Saved saved_of(const Model *m, long N, long keep) {
    long layers = keep ? m->L : 1;
    return (Saved){scratch((keep ? m->L + 1 : 1) * N * m->D * 4), scratch(layers * N * m->D * 4), scratch(layers * N * m->H * 4), scratch(layers * N * width_qkv(m) * CELL),
                   scratch(layers * N * width_out(m) * CELL), scratch(layers * N * 2 * m->F * CELL), keep};
}

static void free_saved(Saved *s) { free(s->x); free(s->x1); free(s->lse); free(s->qkv); free(s->o); free(s->gu); }

/* Sum of reference hidden states (T, D) times `up`, of two rows with the same tokens. */
static double weighted(const Numbers *n, const See *see, const double *x0, const double *up, double *hidden) {
    double sum = 0;
    reference(n, see, x0, hidden);
    for (long i = 0; i < see->T * n->s.D; i++) sum += hidden[i] * up[i];
    return sum;
}

/* Forward and backward of two equal rows of T tokens; gradients as the slope along one random direction of weights and inputs. */
static void check_trunk(const Numbers *n, Engine *e, long T, long prompt) {
    const Model *m = &e->m;
    Shape s = n->s;
    long D = s.D, rows = 2, N = rows * T, W = width_qkv(m), A = width_out(m);
    See see = see_of(T, prompt);
    double *x0 = calloc(T * D, 8), *up = calloc(T * D, 8), *hidden = calloc(T * D, 8), *along_x = calloc(T * D, 8), *along = calloc(n->size, 8);
    for (long i = 0; i < T * D; i++) x0[i] = noise(), up[i] = noise(), along_x[i] = noise();
    for (long i = 0; i < n->size; i++) along[i] = noise();
    Saved saved = saved_of(m, N, 1);
    int64_t starts[2] = {0, T}, lengths[2] = {T, T};
    int32_t thread[2] = {0, 1}, *arrays[4];
    const int32_t *from[4] = {see.positions, see.shared_start, see.shared_end, see.own_start};
    for (int a = 0; a < 4; a++) {
        arrays[a] = calloc(N + 1, 4);
        for (long i = 0; i < N; i++) arrays[a][i] = from[a][i % T];
    }
    for (long i = 0; i < N * D; i++) saved.x[i] = x0[i % (T * D)];
    Layout at = {N, rows, s.threads, starts, lengths, thread, arrays[0], arrays[1], arrays[2], arrays[3]};
    cell *out = scratch(N * D * CELL);
    echo_trunk_forward(m, &at, &saved, out);
    weighted(n, &see, x0, up, hidden);
    for (long i = 0; i < N * D; i++) compare("hidden", cell_value(out[i]), hidden[i % (T * D)], 1);
    /* Backward: only the first row has an upstream gradient. */
    float *dhidden = scratch(N * D * 4), *dx = scratch(N * D * 4), *dnorm = scratch(s.threads * D * 4), *room = scratch(s.threads * n->size * 4);
    for (long i = 0; i < T * D; i++) dhidden[i] = up[i];
    LayerGrad *grads = calloc(s.threads * s.L, sizeof(LayerGrad));
    for (long t = 0; t < s.threads; t++)
        for (long l = 0; l < s.L; l++) {
            LayerNumbers w = n->layers[l];
            float *base = room + t * n->size;
#define AT(name) (base + (w.name - n->all))
            grads[t * s.L + l] = (LayerGrad){AT(qkv), AT(out), AT(gate_up), AT(down), AT(norm1), AT(norm2), AT(qkv_bias), AT(out_bias), AT(q_norm), AT(k_norm)};
        }
    echo_trunk_backward(m, &at, &saved, dhidden, dx, grads, dnorm);
    double slope = 0, size = 0, step = 1e-5;
    for (long t = 0; t < s.threads; t++) {
        for (long i = 0; i < n->size; i++) slope += room[t * n->size + i] * along[i], size += fabs(room[t * n->size + i] * along[i]);
        for (long i = 0; i < D; i++) slope += dnorm[t * D + i] * along[n->norm - n->all + i];
    }
    for (long i = 0; i < T * D; i++) slope += dx[i] * along_x[i];
    double ends[2];
    for (int sign = 0; sign < 2; sign++) {
        double by = sign ? step : -step;
        for (long i = 0; i < n->size; i++) n->all[i] += by * along[i];
        for (long i = 0; i < T * D; i++) x0[i] += by * along_x[i];
        ends[sign] = weighted(n, &see, x0, up, hidden);
        for (long i = 0; i < n->size; i++) n->all[i] -= by * along[i];
        for (long i = 0; i < T * D; i++) x0[i] -= by * along_x[i];
    }
    compare("slope", slope, (ends[1] - ends[0]) / (2 * step), size);
    at.num_rows = 0; /* no rows: nothing is written */
    memset(out, 1, N * D * CELL);
    echo_trunk_forward(m, &at, &saved, out);
    for (long i = 0; i < N * D * CELL; i++) compare("untouched", ((char *)out)[i], 1, 1);
    (void)W; (void)A;
    free_saved(&saved); free_see(&see); free(x0); free(up); free(hidden); free(along_x); free(along); free(out); free(dhidden); free(dx); free(dnorm); free(room); free(grads);
    for (int a = 0; a < 4; a++) free(arrays[a]);
}

static void check_head(const Numbers *n, Engine *e, long N) {
    long D = n->s.D, V = n->s.V, Vp = e->h.Vp;
    cell *hidden = scratch(N * D * CELL);
    double *h = calloc(N * D + 1, 8), *along = calloc(V * D, 8);
    int64_t *targets = calloc(N + 1, 8);
    float *logprobs = scratch(N * 4), *entropies = scratch(N * 4), *lse = scratch(N * 4), *up = scratch(N * 4), *dhidden = scratch(N * D * 4), *dW = scratch(n->s.threads * Vp * D * 4);
    for (long i = 0; i < N * D; i++) h[i] = noise(), hidden[i] = round_cell(h[i]);
    for (long i = 0; i < N; i++) targets[i] = (i * 7) % V, up[i] = noise();
    for (long i = 0; i < V * D; i++) along[i] = noise();
    echo_head_forward(&e->h, hidden, targets, N, 0.7, logprobs, entropies, lse, n->s.threads);
    for (long i = 0; i < N; i++) compare("logprob", logprobs[i], reference_logprob(n, h + i * D, targets[i], 0.7), 1);
    echo_head_backward(&e->h, hidden, targets, lse, up, N, 0.7, dhidden, dW, n->s.threads);
    double slope = 0, size = 0, ends[2] = {0, 0}, step = 1e-5;
    for (long t = 0; t < n->s.threads; t++)
        for (long i = 0; i < V * D; i++) slope += dW[t * Vp * D + i] * along[i], size += fabs(dW[t * Vp * D + i] * along[i]);
    for (int sign = 0; sign < 2; sign++) {
        double by = sign ? step : -step;
        for (long i = 0; i < V * D; i++) n->head[i] += by * along[i];
        for (long i = 0; i < N; i++) ends[sign] += up[i] * reference_logprob(n, h + i * D, targets[i], 0.7);
        for (long i = 0; i < V * D; i++) n->head[i] -= by * along[i];
    }
    compare("head slope", slope, (ends[1] - ends[0]) / (2 * step), size);
    targets[0] = V; /* outside the vocabulary */
    if (N) {
        echo_head_forward(&e->h, hidden, targets, N, 1, logprobs, NULL, lse, n->s.threads);
        compare("refused", isnan(logprobs[0]), 1, 1);
    }
    free(hidden); free(h); free(along); free(targets); free(logprobs); free(entropies); free(lse); free(up); free(dhidden); free(dW);
}

/* Sample `steps` tokens of `rows` rows after two prompts of P and P - 1 tokens (P ≥ 2); log-probabilities against the reference. */
static void check_decode(const Numbers *n, Engine *e, long P, long rows, long steps, double temperature, long threads, int32_t *drawn) {
    const Model *m = &e->m;
    Shape s = n->s;
    long D = s.D, held = most(P - 1, 1), capacity = up16(held), own = up16(steps), W = width_qkv(m);
    Cache c = {2, capacity, rows, own, steps, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    c.prompt_keys = scratch(s.L * 2 * s.K * s.C * capacity * CELL), c.prompt_values = scratch(s.L * 2 * s.K * s.C * capacity * CELL);
    c.row_keys = scratch(s.L * rows * s.K * s.C * own * CELL), c.row_values = scratch(s.L * rows * s.K * s.C * own * CELL);
    int32_t lengths32[2] = {P - 1, P - 2}, slots[2] = {0, 1}, *live = calloc(rows + 1, 4);
    c.prompt_length = lengths32, c.row_prompt = calloc(rows + 1, 4), c.row_length = calloc(rows + 1, 4), c.row_token = calloc(rows + 1, 8), c.row_stream = calloc(rows + 1, 8);
    c.tokens = calloc(rows * steps + 1, 4), c.logprobs = calloc(rows * steps + 1, 4);
    float *embed = floats(n->embed, s.V * D);
    c.embed = embed;
    See see = see_of(P + steps, 0);
    int64_t starts[2] = {0, held}, lengths[2] = {P - 1, P - 2};
    int32_t thread[2] = {0, 1}, *zeros = calloc(2 * held + 1, 4), *positions = calloc(2 * held + 1, 4), *prompt = calloc(P + 1, 4);
    Saved saved = saved_of(m, 2 * held, 1);
    for (long i = 0; i < P; i++) prompt[i] = (i * 5 + 1) % s.V;
    for (long i = 0; i < 2 * held; i++) {
        positions[i] = i % held;
        memcpy(saved.x + i * D, embed + prompt[i % held] * D, D * 4);
    }
    Layout at = {2 * held, 2, s.threads, starts, lengths, thread, positions, zeros, zeros, zeros};
    cell *hidden = scratch(2 * held * D * CELL);
    echo_trunk_forward(m, &at, &saved, hidden);
    echo_store_prompts(m, &at, &saved, &c, slots);
    for (long r = 0; r < rows; r++) live[r] = r, c.row_prompt[r] = r % 3 == 1, c.row_token[r] = prompt[P - 1 - c.row_prompt[r]], c.row_stream[r] = r * 977;
    long running = rows;
    while (running > 0) running = echo_decode(m, &e->h, &c, live, running, 5, rows + 1, temperature, -1, threads);
    for (long r = 0; r < rows && r < 4; r++) {
        long length = P - c.row_prompt[r];
        double *x = calloc((length + steps) * D, 8), *states = calloc((length + steps) * D, 8);
        for (long t = 0; t < length + steps; t++) {
            long token = t < length ? prompt[t] : c.tokens[r * steps + t - length];
            for (long i = 0; i < D; i++) x[t * D + i] = n->embed[token * D + i];
        }
        see.T = length + steps;
        reference(n, &see, x, states);
        for (long t = 0; t < steps; t++)
            compare("sampled logprob", c.logprobs[r * steps + t], reference_logprob(n, states + (length - 1 + t) * D, c.tokens[r * steps + t], temperature > 0 ? temperature : 1), 1);
        free(x); free(states);
    }
    memcpy(drawn, c.tokens, rows * steps * 4);
    (void)W;
    free(c.prompt_keys); free(c.prompt_values); free(c.row_keys); free(c.row_values); free(c.row_prompt); free(c.row_length); free(c.row_token); free(c.row_stream);
    free(c.tokens); free(c.logprobs); free(embed); free(live); free(zeros); free(positions); free(prompt); free(hidden); free_saved(&saved); free_see(&see);
}

static void check_muon(void) {
    long shapes[3][2] = {{16, 16}, {32, 80}, {96, 16}};
    for (int i = 0; i < 3; i++) {
        long rows = shapes[i][0], columns = shapes[i][1], small = rows < columns ? rows : columns, large = rows + columns - small;
        float *matrix = scratch(rows * columns * 4);
        int64_t shape[2] = {rows, columns};
        for (long j = 0; j < rows * columns; j++) matrix[j] = noise();
        echo_orthogonalise(&matrix, shape, 1, 30, 1.5, -0.5, 0, 1e-7, 2); /* Newton-Schulz that converges to singular values of 1 */
        for (long a = 0; a < small; a++) {
            double sum = 0;
            for (long b = 0; b < large; b++) {
                double v = rows <= columns ? matrix[a * columns + b] : matrix[b * columns + a];
                sum += v * v;
            }
            compare("row of an orthogonal matrix", sum, 1, 1);
        }
        free(matrix);
    }
}

/* An argument: only the first so many shapes. */
int main(int count, char **arguments) {
    long shapes = count > 1 ? atol(arguments[1]) : (long)(sizeof SHAPES / sizeof *SHAPES);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (long i = 0; i < shapes; i++) {
        Numbers n = numbers(SHAPES[i]);
        Engine e = engine_of(&n);
        worst = 0;
        for (int t = 0; t < 3; t++) check_trunk(&n, &e, (long[]){1, 33, 47}[t], t == 2 ? 21 : 0);
        for (int t = 0; t < 3; t++) check_head(&n, &e, (long[]){0, 1, 131}[t]);
        int32_t many[70 * 7], few[70 * 7];
        check_decode(&n, &e, 19, 70, 7, 0.7, n.s.threads, many);
        check_decode(&n, &e, 19, 3, 7, 0.7, n.s.threads, few);
        if (memcmp(many, few, 3 * 7 * 4)) return printf("tokens depend on the rows beside them\n"), 1;
        check_decode(&n, &e, 19, 3, 7, 0.7, 1, few);
        if (memcmp(many, few, 3 * 7 * 4)) return printf("tokens depend on the number of threads\n"), 1;
        check_decode(&n, &e, 2, 1, 1, 0, n.s.threads, few); /* prompts of two tokens and of one */
        check_decode(&n, &e, 2, 0, 1, 1, n.s.threads, few);
        printf("width %ld, heads %ld:%ld of %ld, vocabulary %ld, %ld threads: differences up to %.1e\n", n.s.D, n.s.H, n.s.K, n.s.C, n.s.V, n.s.threads, worst);
        free_engine(&e);
        free(n.all); free(n.layers);
    }
    check_muon();
    printf("all shapes agree\n");
    return 0;
}
