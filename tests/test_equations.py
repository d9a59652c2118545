"""The printed equations of each cell, written out gate by gate in numpy, against the nets.

Simple recurrence: Elman, Finding Structure in Time, Cognitive Science 14, 1990; with ReLU: Le et al.,
arXiv:1504.00941, 2015. LSTM: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997; its
forget gate: Gers et al., Learning to Forget, Neural Computation 12, 2000. GRU: Cho et al., arXiv:1406.1078, 2014.
"""

import itertools

import numpy as np
import pytest
import torch

from skrnn import RNNRegressor, SlidingWindowTransformer
from skrnn.nn._recurrent import RecurrentStack

N_CHANNELS, HIDDEN, STEPS = 2, 3, 7
LENGTHS = (4, 7, 1, 2, 7)
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}  # of numbers of size 1
NETS = list(itertools.product(["rnn", "rnn_relu", "lstm", "gru"], [False, True], [1, 2]))

each_net = pytest.mark.parametrize("cell, bidirectional, n_layers", NETS)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of 2 epochs


# -- the equations, float64, one sequence at a time ----------------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def weights_of(recurrence, n_gates):
    """W (input), b, U (recurrent) and d (its bias) of each gate, in torch's order."""
    names = ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0")
    parts = [getattr(recurrence, name).detach().numpy().astype(float) for name in names]
    return zip(*(np.split(part, n_gates) for part in parts), strict=True)


def simple_recurrence(x, recurrence, activation):
    """h_t = activation(W x_t + b + U h_(t-1) + d), from h_0 = 0 on (Elman 1990)."""
    ((W, b, U, d),) = weights_of(recurrence, 1)
    h, outputs = np.zeros(len(U)), []
    for x_t in x:
        h = activation(W @ x_t + b + U @ h + d)
        outputs.append(h)
    return np.array(outputs), None


def rnn(x, recurrence):
    return simple_recurrence(x, recurrence, np.tanh)


def rnn_relu(x, recurrence):
    return simple_recurrence(x, recurrence, lambda a: np.where(a > 0, a, 0.0))


def lstm(x, recurrence):
    """The LSTM with a forget gate and without peepholes, from h_0 = c_0 = 0 on; also gives the last c.

    i_t = sigmoid(W_i x_t + b_i + U_i h_(t-1) + d_i)    input gate (Hochreiter and Schmidhuber 1997)
    f_t = sigmoid(W_f x_t + b_f + U_f h_(t-1) + d_f)    forget gate (Gers et al. 2000)
    g_t = tanh(W_g x_t + b_g + U_g h_(t-1) + d_g)       what may be written
    o_t = sigmoid(W_o x_t + b_o + U_o h_(t-1) + d_o)    output gate
    c_t = f_t * c_(t-1) + i_t * g_t                     the carry
    h_t = o_t * tanh(c_t)
    """
    (W_i, b_i, U_i, d_i), (W_f, b_f, U_f, d_f), (W_g, b_g, U_g, d_g), (W_o, b_o, U_o, d_o) = weights_of(recurrence, 4)
    h, c, outputs = np.zeros(len(U_i)), np.zeros(len(U_i)), []
    for x_t in x:
        i = sigmoid(W_i @ x_t + b_i + U_i @ h + d_i)
        f = sigmoid(W_f @ x_t + b_f + U_f @ h + d_f)
        g = np.tanh(W_g @ x_t + b_g + U_g @ h + d_g)
        o = sigmoid(W_o @ x_t + b_o + U_o @ h + d_o)
        c = f * c + i * g
        h = o * np.tanh(c)
        outputs.append(h)
    return np.array(outputs), c


def gru(x, recurrence, *, reset_before=False):
    """The GRU as torch has it, from h_0 = 0 on.

    r_t = sigmoid(W_r x_t + b_r + U_r h_(t-1) + d_r)        reset gate
    z_t = sigmoid(W_z x_t + b_z + U_z h_(t-1) + d_z)        update gate
    n_t = tanh(W_n x_t + b_n + r_t * (U_n h_(t-1) + d_n))   Cho et al. 2014 have U_n (r_t * h_(t-1)) (`reset_before`)
    h_t = (1 - z_t) * n_t + z_t * h_(t-1)
    """
    (W_r, b_r, U_r, d_r), (W_z, b_z, U_z, d_z), (W_n, b_n, U_n, d_n) = weights_of(recurrence, 3)
    h, outputs = np.zeros(len(U_r)), []
    for x_t in x:
        r = sigmoid(W_r @ x_t + b_r + U_r @ h + d_r)
        z = sigmoid(W_z @ x_t + b_z + U_z @ h + d_z)
        recalled = U_n @ (r * h) + d_n if reset_before else r * (U_n @ h + d_n)
        n = np.tanh(W_n @ x_t + b_n + recalled)
        h = (1 - z) * n + z * h
        outputs.append(h)
    return np.array(outputs), None


EQUATIONS = {"rnn": rnn, "rnn_relu": rnn_relu, "lstm": lstm, "gru": gru}


def run(x, recurrences, cell, bidirectional):
    """All layers over one sequence x (steps, channels): outputs of each step, final states, carries (None if none)."""
    n_directions = 2 if bidirectional else 1
    for layer in range(0, len(recurrences), n_directions):
        forward, carry = EQUATIONS[cell](x, recurrences[layer])
        outputs, final, carries = [forward], [forward[-1]], [carry]
        if bidirectional:
            backward, carry = EQUATIONS[cell](x[::-1], recurrences[layer + 1])
            outputs, final, carries = [forward, backward[::-1]], [forward[-1], backward[-1]], [carries[0], carry]
        x = np.concatenate(outputs, axis=1)  # (steps, directions * hidden)
    return x, np.concatenate(final), None if carries[0] is None else np.concatenate(carries)


# -- the layers ----------------------------------------------------------------------------------------------------


def stack_of(cell, bidirectional, n_layers, dtype):
    """Recurrent layers whose biases differ from zero and from each other."""
    generator = torch.Generator().manual_seed(5)
    stack = RecurrentStack(cell, N_CHANNELS, HIDDEN, n_layers, bidirectional, 0.0, generator)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return stack.to(getattr(torch, dtype))


@each_dtype
@each_net
@pytest.mark.parametrize("lengths", [LENGTHS, (STEPS,) * 5], ids=["ragged", "full"])
def test_layers_follow_the_equations(cell, bidirectional, n_layers, dtype, lengths):
    stack = stack_of(cell, bidirectional, n_layers, dtype)
    x = torch.randn(5, STEPS, N_CHANNELS, generator=torch.Generator().manual_seed(1)).to(getattr(torch, dtype))
    full = set(lengths) == {STEPS}
    with torch.no_grad():
        outputs = stack(x, None if full else torch.tensor(lengths))
        steps, final = outputs.steps().numpy(), outputs.final().numpy()
        final_and_carry = outputs.final_and_carry().numpy()
    bar = TOLERANCE[dtype]
    for row, length in enumerate(lengths):
        sequence = x[row, :length].numpy().astype(float)
        of_steps, of_row, carry = run(sequence, stack.recurrences, cell, bidirectional)
        np.testing.assert_allclose(steps[row, :length], of_steps, rtol=bar, atol=bar)
        np.testing.assert_allclose(final[row], of_row, rtol=bar, atol=bar)
        if carry is None:
            assert final_and_carry.shape == final.shape
        elif length == STEPS:  # of shorter rows torch gives no carry
            np.testing.assert_allclose(final_and_carry[row], np.concatenate([of_row, carry]), rtol=bar, atol=bar)


def test_the_reset_gate_of_the_gru_acts_behind_the_recurrent_matrix():
    """As in torch and cuDNN; the first printed form multiplies the state before the matrix, and gives other numbers."""
    stack = stack_of("gru", False, 1, "float64")
    x = np.random.default_rng(0).normal(size=(STEPS, N_CHANNELS))
    with torch.no_grad():
        ours = stack(torch.from_numpy(x[None])).steps().numpy()[0]
    np.testing.assert_allclose(ours, gru(x, stack.recurrences[0])[0], rtol=1e-12, atol=1e-12)
    before = gru(x, stack.recurrences[0], reset_before=True)[0]
    assert np.abs(ours - before).max() > 0.01


def test_an_open_forget_gate_keeps_the_carry_and_a_closed_one_drops_it():
    stack = stack_of("lstm", False, 1, "float64")
    recurrence = stack.recurrences[0]
    x = torch.zeros(1, STEPS, N_CHANNELS, dtype=torch.float64)
    i, f, g, _ = (slice(gate * HIDDEN, (gate + 1) * HIDDEN) for gate in range(4))
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.zero_()
        recurrence.bias_ih_l0[i], recurrence.bias_ih_l0[g] = 40.0, 1.0  # each step writes tanh(1)
        for forget, n_kept in [(40.0, STEPS), (-40.0, 1)]:
            recurrence.bias_hh_l0[f] = forget
            carry = stack(x).carries[0]
            np.testing.assert_allclose(carry.numpy(), np.full((1, HIDDEN), n_kept * np.tanh(1.0)), rtol=1e-12)


# -- the whole estimator -------------------------------------------------------------------------------------------


def ragged_rows(n_rows=17):
    rng = np.random.default_rng(2)
    return [rng.normal([3.0, -1.0], [0.5, 2.0], size=(length, N_CHANNELS)) for length in np.resize(LENGTHS, n_rows)]


def full_rows(n_rows=17):
    rng = np.random.default_rng(3)
    return rng.normal([3.0, -1.0], [0.5, 2.0], size=(n_rows, STEPS, N_CHANNELS))


def fitted(rows, y, cell, bidirectional, n_layers, dtype):
    params = {"hidden_size": HIDDEN, "bidirectional": bidirectional, "n_layers": n_layers, "dtype": dtype}
    return RNNRegressor(cell, **params, max_epochs=2, random_state=0).fit(rows, y)


def standardised(rows):
    """Each channel over all valid steps to mean 0 and standard deviation 1."""
    every_step = np.concatenate(list(rows))
    return [(row - every_step.mean(axis=0)) / every_step.std(axis=0) for row in rows]


@each_dtype
@each_net
@pytest.mark.parametrize("rows_of", [ragged_rows, full_rows])
def test_encode_gives_the_states_of_the_equations(cell, bidirectional, n_layers, dtype, rows_of):
    rows = rows_of()
    y = np.array([row[-1].sum() for row in rows])
    model = fitted(rows, y, cell, bidirectional, n_layers, dtype)
    recurrences = model.net_.module_.encoder.recurrent.recurrences
    of_rows = [run(row, recurrences, cell, bidirectional) for row in standardised(rows)]
    states = model.encode(rows)
    assert isinstance(states, tuple) == (cell == "lstm")
    h, c = states if cell == "lstm" else (states, None)
    bar = TOLERANCE[dtype]
    np.testing.assert_allclose(h, np.array([final for _, final, _ in of_rows]), rtol=bar, atol=bar)
    if c is not None:
        np.testing.assert_allclose(c, np.array([carry for _, _, carry in of_rows]), rtol=bar, atol=bar)

    steps = model.encode(rows, return_sequences=True)
    steps = steps[0] if rows_of is ragged_rows else steps
    for ours, (theirs, _, _) in zip(steps, of_rows, strict=True):
        np.testing.assert_allclose(ours[: len(theirs)], theirs, rtol=bar, atol=bar)
        assert np.isnan(ours[len(theirs) :]).all()


def head_of(model, features):
    head = model.net_.module_.head.linear
    return features @ head.weight.detach().numpy().T.astype(float) + head.bias.detach().numpy().astype(float)


@each_dtype
@each_net
@pytest.mark.parametrize("rows_of", [ragged_rows, full_rows])
def test_predictions_follow_the_equations_from_the_data_to_the_forecast(cell, bidirectional, n_layers, dtype, rows_of):
    """Standardise, recur, map, undo the standardisation of y: nothing else happens between `predict` and a number."""
    rows = rows_of()
    y = np.array([[row[0].sum(), row[-1, 0], row.mean()] for row in rows])
    y = (y - y.mean(axis=0)) / y.std(axis=0) * [1.0, 0.5, 2.0] + [0.5, 0.0, -1.0]  # of size 1, like the bars
    model = fitted(rows, y, cell, bidirectional, n_layers, dtype)
    recurrences = model.net_.module_.encoder.recurrent.recurrences
    final = np.array([run(row, recurrences, cell, bidirectional)[1] for row in standardised(rows)])
    expected = head_of(model, final) * y.std(axis=0) + y.mean(axis=0)
    bar = 2 * TOLERANCE[dtype]  # the largest output is 2 units of its own
    np.testing.assert_allclose(model.predict(rows), expected, rtol=bar, atol=bar)
    assert np.ptp(expected, axis=0).min() > 0.05


@each_dtype
@pytest.mark.parametrize("cell", EQUATIONS)
def test_forecasts_of_windows_follow_the_equations(cell, dtype):
    """With the last value taken off each window, and put back on what is forecast."""
    window, horizon = 5, 2
    series = np.random.default_rng(4).normal(size=29).cumsum() / 5
    X = SlidingWindowTransformer(window).fit_transform(series[:, None])
    model = RNNRegressor(cell, hidden_size=HIDDEN, horizon=horizon, dtype=dtype, max_epochs=2, random_state=0)
    model.fit(X, series)

    windows = [series[max(0, t + 1 - window) : t + 1] for t in range(len(series))]
    learns = windows[:-1]  # the last row has no future
    every_step = np.concatenate(learns)
    mean, sd = every_step.mean(), every_step.std()
    off = np.concatenate([w - w[-1] for w in learns]) / sd
    spread = np.sqrt((off**2).mean())
    future = np.array([[series[t + k] if t + k < len(series) else np.nan for k in (1, 2)] for t in range(len(learns))])
    future = future - series[:-1, None]
    recurrences = model.net_.module_.encoder.recurrent.recurrences
    scaled = [((w - mean) / sd - (w[-1] - mean) / sd)[:, None] / spread for w in windows]
    final = np.array([run(w, recurrences, cell, False)[1] for w in scaled])
    expected = head_of(model, final) * np.nanstd(future, axis=0) + np.nanmean(future, axis=0) + series[:, None]
    bar = TOLERANCE[dtype]
    np.testing.assert_allclose(model.predict(X), expected, rtol=bar, atol=bar)
