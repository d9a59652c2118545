/* What training a small recurrent net costs when nothing but arithmetic is left: one call a batch, without autograd.
 *
 * The batch is cut in chunks, one a thread. A thread takes its chunk through the whole net and back without waiting
 * for the others; then the gradients of the chunks are added up and Adam updates the parameters. Layers are torch's
 * nn.RNN (tanh), nn.LSTM and nn.GRU, the head is linear on the final state of each direction, the loss squared.
 *
 * Axes: n rows of a chunk, T steps, F inputs of a layer, H hidden, S = H + F + 1 the row [h | x | 1] that one matrix
 * product a step turns into all gates, bias included. All matrices are row-major. Parameters of a direction:
 *
 *   weights        (S, H) rnn; (S, 4H) lstm: i, f, g, o; (S, 3H) gru: r, z, and what the state gives to n
 *   input_weights  (F + 1, H) gru only: what [x | 1] gives to n; the rows of x are zero in the last block of `weights`
 *
 * Layer by layer and direction by direction they stand in one vector, the head (directions * H weights, 1 bias) last.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { RNN, LSTM, GRU };
static const int GATE_COLUMNS[] = {1, 4, 4};    /* blocks of H columns kept for a step; of a gru: r, z, state's part, n */
static const int PRODUCT_COLUMNS[] = {1, 4, 3}; /* of which the product with `weights` gives the first */

enum { BLOCK = 1024 }; /* parameters that a thread updates at a time */
static const float LR = 0.01f, BETA_1 = 0.9f, BETA_2 = 0.999f, EPSILON = 1e-8f;

extern void sgemm_(const char *, const char *, const int *, const int *, const int *, const float *, const float *,
                   const int *, const float *, const int *, const float *, float *, const int *);
/* Where the BLAS is MKL: it would start threads of its own in each chunk. */
__attribute__((weak)) int MKL_Set_Num_Threads_Local(int n_threads);

/* One direction of one layer, as one chunk sees it. Steps are in the direction's own order. */
typedef struct {
    int n_inputs, reversed;
    const float *weights, *input_weights;
    float *d_weights, *d_input_weights; /* gradients of this chunk alone */
    float *inputs;                      /* (T + 1, n, S): h before each step, and after the last */
    float *gates;                       /* (T, n, GATE_COLUMNS * H), overwritten by their gradients */
    float *carry;                       /* (T + 1, n, H) lstm */
    float *squashed;                    /* (T, n, H) lstm: tanh of the carry after each step */
    float *d_inputs;                    /* (T, n, F); NULL in the first layer */
    float *d_state, *d_carry;           /* (n, H) at the step that backward has reached */
} Direction;

typedef struct {
    int cell, hidden, n_layers, n_directions, n_steps, n_channels, n_chunks;
    long n_parameters, n_updates;
    float *parameters, *gradient;     /* (n_parameters,), the caller's */
    float *mean, *square;             /* (n_parameters,), Adam's */
    float *chunk_gradients;           /* (n_chunks, n_parameters) */
    Direction *directions;            /* (n_chunks, n_layers, n_directions) */
} Net;

static int row_size(const Net *net, const Direction *d) { return net->hidden + d->n_inputs + 1; }

/* c = a b + keep * c, of (rows, depth) and (depth, columns) after transposing; x_row is the distance of rows in x. */
static void multiply(char transpose_a, char transpose_b, int rows, int columns, int depth, const float *a, int a_row,
                     const float *b, int b_row, float keep, float *c, int c_row)
{
    const float one = 1.0f; /* sgemm_ is column-major: it computes the transposed product */
    sgemm_(&transpose_b, &transpose_a, &columns, &rows, &depth, &one, b, &b_row, a, &a_row, &keep, c, &c_row);
}

/* ---- pointwise, one row ------------------------------------------------------------------------------------- */

/* The rational approximation of the Eigen library: within 4e-7. */
static inline float tanh_(float x)
{
    const float largest = 7.90531110763549805f;
    x = x < -largest ? -largest : x > largest ? largest : x;
    const float y = x * x;
    float p = -2.76076847742355e-16f * y + 2.00018790482477e-13f;
    p = p * y - 8.60467152213735e-11f;
    p = p * y + 5.12229709037114e-08f;
    p = p * y + 1.48572235717979e-05f;
    p = p * y + 6.37261928875436e-04f;
    p = p * y + 4.89352455891786e-03f;
    float q = 1.19825839466702e-06f * y + 1.18534705686654e-04f;
    q = q * y + 2.26843463243900e-03f;
    q = q * y + 4.89352518554385e-03f;
    return x * p / q;
}

static inline float sigmoid(float x) { return 0.5f + 0.5f * tanh_(0.5f * x); }

static void rnn_forward(int H, const float *restrict a, float *restrict h)
{
    for (int j = 0; j < H; j++) h[j] = tanh_(a[j]);
}

static void rnn_backward(int H, float *restrict a, const float *restrict h, const float *restrict dh)
{
    for (int j = 0; j < H; j++) a[j] = dh[j] * (1 - h[j] * h[j]);
}

static void lstm_forward(int H, float *restrict a, const float *restrict carry, float *restrict next_carry,
                         float *restrict squashed, float *restrict h)
{
    float *restrict i = a, *restrict f = a + H, *restrict g = a + 2 * H, *restrict o = a + 3 * H;
    for (int j = 0; j < H; j++) {
        i[j] = sigmoid(i[j]), f[j] = sigmoid(f[j]), g[j] = tanh_(g[j]), o[j] = sigmoid(o[j]);
        next_carry[j] = f[j] * carry[j] + i[j] * g[j];
        squashed[j] = tanh_(next_carry[j]);
        h[j] = o[j] * squashed[j];
    }
}

static void lstm_backward(int H, float *restrict a, const float *restrict carry, const float *restrict squashed,
                          const float *restrict dh, float *restrict d_carry)
{
    float *restrict i = a, *restrict f = a + H, *restrict g = a + 2 * H, *restrict o = a + 3 * H;
    for (int j = 0; j < H; j++) {
        const float in = i[j], forget = f[j], new = g[j], out = o[j], s = squashed[j];
        const float dc = d_carry[j] + dh[j] * out * (1 - s * s);
        i[j] = dc * new * in * (1 - in);
        f[j] = dc * carry[j] * forget * (1 - forget);
        g[j] = dc * in * (1 - new * new);
        o[j] = dh[j] * s * out * (1 - out);
        d_carry[j] = dc * forget;
    }
}

static void gru_forward(int H, float *restrict a, const float *restrict h, float *restrict next_h)
{
    float *restrict r = a, *restrict z = a + H, *restrict from_h = a + 2 * H, *restrict n = a + 3 * H;
    for (int j = 0; j < H; j++) {
        r[j] = sigmoid(r[j]), z[j] = sigmoid(z[j]), n[j] = tanh_(n[j] + r[j] * from_h[j]);
        next_h[j] = n[j] + z[j] * (h[j] - n[j]);
    }
}

static void gru_backward(int H, float *restrict a, const float *restrict h, float *restrict dh)
{
    float *restrict r = a, *restrict z = a + H, *restrict from_h = a + 2 * H, *restrict n = a + 3 * H;
    for (int j = 0; j < H; j++) {
        const float reset = r[j], update = z[j], new = n[j];
        const float dn = dh[j] * (1 - update) * (1 - new * new);
        r[j] = dn * from_h[j] * reset * (1 - reset);
        z[j] = dh[j] * (h[j] - new) * update * (1 - update);
        from_h[j] = dn * reset;
        n[j] = dn;
        dh[j] *= update; /* what passes straight on to the former state */
    }
}

/* ---- one direction of one layer, one chunk ------------------------------------------------------------------ */

static void forward(const Net *net, Direction *d, int n)
{
    const int H = net->hidden, S = row_size(net, d), P = GATE_COLUMNS[net->cell] * H;
    const int Q = PRODUCT_COLUMNS[net->cell] * H;
    for (int r = 0; r < n; r++) memset(d->inputs + (long)r * S, 0, H * sizeof(float));
    if (net->cell == LSTM) memset(d->carry, 0, (long)n * H * sizeof(float));
    for (int s = 0; s < net->n_steps; s++) {
        float *rows = d->inputs + (long)s * n * S, *next = rows + (long)n * S, *gates = d->gates + (long)s * n * P;
        multiply('n', 'n', n, Q, S, rows, S, d->weights, Q, 0.0f, gates, P);
        if (net->cell == GRU)
            multiply('n', 'n', n, H, d->n_inputs + 1, rows + H, S, d->input_weights, H, 0.0f, gates + 3 * H, P);
        for (int r = 0; r < n; r++) {
            float *a = gates + (long)r * P, *h = rows + (long)r * S, *next_h = next + (long)r * S;
            const long i = ((long)s * n + r) * H;
            if (net->cell == RNN) rnn_forward(H, a, next_h);
            else if (net->cell == GRU) gru_forward(H, a, h, next_h);
            else lstm_forward(H, a, d->carry + i, d->carry + i + (long)n * H, d->squashed + i, next_h);
        }
    }
}

/* Add to d_state, at the direction's step s, what the layer above gives to this direction's outputs. */
static void add_gradient_from_above(const Net *net, Direction *d, const Direction *above, int n, int s)
{
    const int H = net->hidden, F = above->n_inputs;
    const int time = d->reversed ? net->n_steps - 1 - s : s;
    for (int k = 0; k < net->n_directions; k++) {
        const int step = above[k].reversed ? net->n_steps - 1 - time : time;
        const float *from = above[k].d_inputs + (long)step * n * F + (d->reversed ? H : 0);
        for (int r = 0; r < n; r++)
            for (int j = 0; j < H; j++) d->d_state[(long)r * H + j] += from[(long)r * F + j];
    }
}

/* Begins with d_state holding the gradient of the final state. `above` is NULL for the last layer. */
static void backward(const Net *net, Direction *d, const Direction *above, int n)
{
    const int H = net->hidden, F = d->n_inputs, S = row_size(net, d), P = GATE_COLUMNS[net->cell] * H;
    const int Q = PRODUCT_COLUMNS[net->cell] * H, all_rows = net->n_steps * n;
    if (net->cell == LSTM) memset(d->d_carry, 0, (long)n * H * sizeof(float));
    for (int s = net->n_steps - 1; s >= 0; s--) {
        float *rows = d->inputs + (long)s * n * S, *next = rows + (long)n * S, *gates = d->gates + (long)s * n * P;
        if (above) add_gradient_from_above(net, d, above, n, s);
        for (int r = 0; r < n; r++) {
            float *a = gates + (long)r * P, *dh = d->d_state + (long)r * H;
            const long i = ((long)s * n + r) * H;
            if (net->cell == RNN) rnn_backward(H, a, next + (long)r * S, dh);
            else if (net->cell == GRU) gru_backward(H, a, rows + (long)r * S, dh);
            else lstm_backward(H, a, d->carry + i, d->squashed + i, dh, d->d_carry + (long)r * H);
        }
        if (s > 0) multiply('n', 't', n, H, Q, gates, P, d->weights, Q, net->cell == GRU, d->d_state, H);
    }
    multiply('t', 'n', S, Q, all_rows, d->inputs, S, d->gates, P, 0.0f, d->d_weights, Q);
    if (net->cell == GRU) {
        for (int j = 0; j < F; j++) memset(d->d_weights + (long)(H + j) * Q + 2 * H, 0, H * sizeof(float));
        multiply('t', 'n', F + 1, H, all_rows, d->inputs + H, S, d->gates + 3 * H, P, 0.0f, d->d_input_weights, H);
    }
    if (d->d_inputs) {
        multiply('n', 't', all_rows, F, Q, d->gates, P, d->weights + (long)H * Q, Q, 0.0f, d->d_inputs, F);
        if (net->cell == GRU)
            multiply('n', 't', all_rows, F, H, d->gates + 3 * H, P, d->input_weights, H, 1.0f, d->d_inputs, F);
    }
}

/* ---- the whole net, one chunk ------------------------------------------------------------------------------- */

/* Copy the chunk's windows X[rows[r]] (T, channels) into the first layer's inputs. */
static void gather(const Net *net, Direction *d, const float *X, const int64_t *rows, int n)
{
    const int F = net->n_channels, S = row_size(net, d), T = net->n_steps;
    for (int r = 0; r < n; r++)
        for (int s = 0; s < T; s++) {
            const float *x = X + (rows[r] * T + (d->reversed ? T - 1 - s : s)) * F;
            memcpy(d->inputs + ((long)s * n + r) * S + net->hidden, x, F * sizeof(float));
        }
}

/* Copy the outputs of the layer below into a layer's inputs. */
static void pass_up(const Net *net, Direction *d, const Direction *below, int n)
{
    const int H = net->hidden, T = net->n_steps, S = row_size(net, d), S_below = row_size(net, below);
    for (int s = 0; s < T; s++)
        for (int k = 0; k < net->n_directions; k++) {
            const int step = below[k].reversed != d->reversed ? T - 1 - s : s;
            const float *from = below[k].inputs + (long)(step + 1) * n * S_below;
            float *to = d->inputs + (long)s * n * S + H + k * H;
            for (int r = 0; r < n; r++) memcpy(to + (long)r * S, from + (long)r * S_below, H * sizeof(float));
        }
}

/* Predictions from the final states; gradients of the head and, into d_state, of the final states. */
static void head(const Net *net, Direction *last, const float *y, const int64_t *rows, int n, int batch,
                 const float *weights, float *d_weights)
{
    const int H = net->hidden, D = net->n_directions, S = row_size(net, last);
    memset(d_weights, 0, (D * H + 1) * sizeof(float));
    for (int r = 0; r < n; r++) {
        float prediction = weights[D * H];
        for (int k = 0; k < D; k++) {
            const float *h = last[k].inputs + ((long)net->n_steps * n + r) * S;
            for (int j = 0; j < H; j++) prediction += weights[k * H + j] * h[j];
        }
        const float gradient = 2 * (prediction - y[rows[r]]) / batch;
        d_weights[D * H] += gradient;
        for (int k = 0; k < D; k++) {
            const float *h = last[k].inputs + ((long)net->n_steps * n + r) * S;
            for (int j = 0; j < H; j++) {
                d_weights[k * H + j] += gradient * h[j];
                last[k].d_state[(long)r * H + j] = gradient * weights[k * H + j];
            }
        }
    }
}

/* Gradients of n rows of a batch, into the chunk's part of chunk_gradients. */
static void run_chunk(const Net *net, int chunk, const float *X, const float *y, const int64_t *rows, int n, int batch)
{
    const int D = net->n_directions, H = net->hidden;
    Direction *first = net->directions + (long)chunk * net->n_layers * D, *last = first + (net->n_layers - 1) * D;
    for (Direction *layer = first; layer <= last; layer += D)
        for (Direction *d = layer; d < layer + D; d++) {
            if (layer == first) gather(net, d, X, rows, n);
            else pass_up(net, d, layer - D, n);
            forward(net, d, n);
        }
    const long head_at = net->n_parameters - D * H - 1;
    float *gradients = net->chunk_gradients + chunk * net->n_parameters;
    head(net, last, y, rows, n, batch, net->parameters + head_at, gradients + head_at);
    for (Direction *layer = last; layer >= first; layer -= D)
        for (Direction *d = layer; d < layer + D; d++) {
            if (layer != last) memset(d->d_state, 0, (long)n * H * sizeof(float));
            backward(net, d, layer == last ? NULL : layer + D, n);
        }
}

/* ---- what Python calls -------------------------------------------------------------------------------------- */

/* Add up the gradients of the chunks for parameters begin to end. */
static void sum_gradients(const Net *net, long begin, long end)
{
    memcpy(net->gradient + begin, net->chunk_gradients + begin, (end - begin) * sizeof(float));
    for (int chunk = 1; chunk < net->n_chunks; chunk++) {
        const float *from = net->chunk_gradients + chunk * net->n_parameters;
        for (long i = begin; i < end; i++) net->gradient[i] += from[i];
    }
}

/* Kingma and Ba 2015, for parameters begin to end. */
static void adam(Net *net, long begin, long end)
{
    const float step = LR / (1 - powf(BETA_1, net->n_updates));
    const float correction = 1 / sqrtf(1 - powf(BETA_2, net->n_updates));
    float *restrict p = net->parameters, *restrict m = net->mean, *restrict v = net->square;
    const float *restrict g = net->gradient;
    for (long i = begin; i < end; i++) {
        m[i] = BETA_1 * m[i] + (1 - BETA_1) * g[i];
        v[i] = BETA_2 * v[i] + (1 - BETA_2) * g[i] * g[i];
        p[i] -= step * m[i] / (sqrtf(v[i]) * correction + EPSILON);
    }
}

/* Train on the batch X[rows] (batch, T, channels), y[rows] (batch,); with `update` 0 only the gradient is computed. */
void train_batch(Net *net, const float *X, const float *y, const int64_t *rows, int batch, int update)
{
    net->n_updates += update;
    #pragma omp parallel num_threads(net->n_chunks)
    {
        const int before = MKL_Set_Num_Threads_Local ? MKL_Set_Num_Threads_Local(1) : 0;
        #pragma omp for schedule(static, 1)
        for (int chunk = 0; chunk < net->n_chunks; chunk++) {
            const long begin = (long)batch * chunk / net->n_chunks, end = (long)batch * (chunk + 1) / net->n_chunks;
            run_chunk(net, chunk, X, y, rows + begin, end - begin, batch);
        }
        #pragma omp for schedule(static)
        for (long begin = 0; begin < net->n_parameters; begin += BLOCK) {
            const long end = begin + BLOCK < net->n_parameters ? begin + BLOCK : net->n_parameters;
            sum_gradients(net, begin, end);
            if (update) adam(net, begin, end);
        }
        if (MKL_Set_Num_Threads_Local) MKL_Set_Num_Threads_Local(before);
    }
}

static float *zeros(long n) { return calloc(n > 0 ? n : 1, sizeof(float)); }

/* `parameters` and `gradient` (n_parameters,) stay the caller's. */
Net *create_net(int cell, int hidden, int n_layers, int n_directions, int n_steps, int n_channels, int largest_batch,
                int n_chunks, long n_parameters, float *parameters, float *gradient)
{
    Net *net = malloc(sizeof(Net));
    *net = (Net){cell, hidden, n_layers, n_directions, n_steps, n_channels, n_chunks, n_parameters, 0,
                 parameters, gradient, zeros(n_parameters), zeros(n_parameters), zeros(n_chunks * n_parameters), NULL};
    net->directions = calloc((long)n_chunks * n_layers * n_directions, sizeof(Direction));
    const long n = (largest_batch + n_chunks - 1) / n_chunks, H = hidden, T = n_steps;
    const long P = GATE_COLUMNS[cell] * H, Q = PRODUCT_COLUMNS[cell] * H;
    Direction *d = net->directions;
    for (int chunk = 0; chunk < n_chunks; chunk++) {
        long at = 0; /* in the vector of parameters */
        for (int i = 0; i < n_layers * n_directions; i++, d++) {
            d->n_inputs = i < n_directions ? n_channels : n_directions * hidden;
            d->reversed = i % n_directions;
            const long S = row_size(net, d);
            d->weights = parameters + at;
            d->d_weights = net->chunk_gradients + chunk * n_parameters + at;
            at += S * Q;
            d->input_weights = parameters + at;
            d->d_input_weights = net->chunk_gradients + chunk * n_parameters + at;
            at += cell == GRU ? (d->n_inputs + 1) * H : 0;
            d->inputs = zeros((T + 1) * n * S);
            for (long row = 0; row < (T + 1) * n; row++) d->inputs[row * S + S - 1] = 1.0f;
            d->gates = zeros(T * n * P);
            d->carry = zeros(cell == LSTM ? (T + 1) * n * H : 0);
            d->squashed = zeros(cell == LSTM ? T * n * H : 0);
            d->d_inputs = i < n_directions ? NULL : zeros(T * n * d->n_inputs);
            d->d_state = zeros(n * H);
            d->d_carry = zeros(n * H);
        }
    }
    return net;
}

void free_net(Net *net)
{
    const Direction *end = net->directions + (long)net->n_chunks * net->n_layers * net->n_directions;
    for (Direction *d = net->directions; d < end; d++) {
        float *buffers[] = {d->inputs, d->gates, d->carry, d->squashed, d->d_inputs, d->d_state, d->d_carry};
        for (unsigned i = 0; i < sizeof buffers / sizeof *buffers; i++) free(buffers[i]);
    }
    free(net->directions), free(net->chunk_gradients), free(net->mean), free(net->square), free(net);
}
