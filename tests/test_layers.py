"""The shape of the package: imports point down, heavy libraries stay in their layer, files stay short."""

import ast
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skrnn"

LAYERS = [  # top first: a module imports only from the lines below its own, never from its own line
    {"plotting", "persistence", "stream"},
    {"series"},
    {"_backtest", "_forecast_drivers", "_known_ahead", "_series_scale"},
    {"_series_pieces"},
    {"_series_table"},
    {"regressor", "classifier", "forecaster", "tagger"},
    {"_forecast_parameters", "_uncertainty"},
    {"_regression", "_classification"},
    {"_supervised"},
    {"_inspection"},
    {"_estimator"},
    {"_building_estimator"},
    {"_predicting_estimator"},
    {"_hyperparameters", "_net", "_prediction", "_sequence_estimator", "_training_report"},
    {"_naive_errors"},
    {"_batches", "callbacks", "_epoch_sums", "_loss_check", "_optimizer", "_teacher_forcing", "_threads"},
    {"nn"},
    {"windows", "text", "datasets", "metrics", "model_selection"},
    {"_causality", "_forecast_targets", "_futures", "_layout", "_past_targets", "_pendulum", "_scorers"}
    | {"_activity", "_conll", "_sequence_tasks", "_tagged_sentences", "_target_transform", "_ts_files"},
    {"_plots_attention", "_plots_fan", "_plots_forecasts", "_plots_predictions", "_plots_training"},
    {"_labelled"},
    {"_history", "_moments", "_outputs", "_point_errors", "_probabilistic_errors", "_scaled_errors", "_step_targets"}
    | {"_class_targets", "_tag_targets", "_tagging_scores"},
    {"_known_targets", "_plot_axes", "_plot_labels", "_targets"},
    {"_conformal", "_future_labels", "_holdout", "_paths", "_net_params", "_row_map", "_scaling", "_timeline"}
    | {"_subwords", "_text_parameters", "_tokens", "_vocabulary", "_word_shapes", "_word_vectors"},
    {"_calendar", "_column_names", "_distributions", "_parameters", "_runtime", "_validation"},
    {"_sequences", "_embedded_tokens"},
    {"_lazy_array"},
]
RANK = {module: rank for rank, modules in enumerate(LAYERS) for module in modules}

COMPILED = {"nn/_activations.py", "nn/_kernels.py", "nn/_matmul.py", "nn/_packing.py", "nn/_step_kernels.py"}
ONLY_IN = {  # library: the modules that may import it, or single files, wherever in the file
    "llvmlite": {"nn/_matmul.py"},
    "matplotlib": {"_plot_axes"},
    "numba": COMPILED,
    "skorch": {"_net", "callbacks"},
    "torch": {
        "_runtime",
        "_batches",
        "nn",
        "_optimizer",
        "_epoch_sums",
        "_loss_check",
        "_net",
        "callbacks",
        "_building_estimator",
        "_prediction",
        "persistence",
    },
    "tqdm": {"callbacks"},
}
NOT_IN = {  # module or file: the libraries it may not import
    "nn": {"pandas", "skorch", "sklearn"},
    **{file: {"scipy", "torch"} for file in COMPILED},
    "_sequences": {"pandas", "sklearn"},
    "_embedded_tokens": {"pandas", "sklearn"},
}

MOST_LINES = 300
LONG_FILES: dict[str, str] = {}  # file: why it holds one idea all the same

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_of(path):
    """Return the name by which `LAYERS` knows a file: its own, or that of its folder in the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_names(path):
    """Yield the dotted name of everything that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: write absolute imports"
            if node.module == "skrnn":  # `from skrnn import windows` imports a module, not the root
                yield from (f"skrnn.{alias.name}" for alias in node.names)
            else:
                yield node.module


def lines_of_code(path):
    """Count the lines that hold code: no blank lines, comments or docstrings."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in skipped]
    code = {line for token in tokens if token.string for line in range(token.start[0], token.end[0] + 1)}
    return len(code - docstring_lines(path) - {0})


def docstring_lines(path):
    lines = set()
    for node in ast.walk(ast.parse(path.read_text())):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            lines.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def each_file(test):
    return pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))(test)


@each_file
def test_file_has_a_layer(path):
    assert module_of(path) in RANK, f"{module_of(path)} has no place in LAYERS"


@each_file
def test_imports_within_the_package_point_down(path):
    here = module_of(path)
    for name in imported_names(path):
        library, _, rest = name.partition(".")
        if library != "skrnn":
            continue
        there = rest.partition(".")[0]
        assert there in RANK, f"{here} imports {name}: not a module with a layer (the package root is for users)"
        assert there == here or RANK[here] < RANK[there], f"{here} may not import {there}: it is not below"


@each_file
def test_heavy_libraries_stay_in_their_layer(path):
    here, file = module_of(path), path.relative_to(PACKAGE).as_posix()
    for library in {name.partition(".")[0] for name in imported_names(path)}:
        assert {here, file} & ONLY_IN.get(library, {here}), f"{file} may not import {library}"
        assert library not in NOT_IN.get(here, set()) | NOT_IN.get(file, set()), f"{file} may not import {library}"


@each_file
def test_file_is_short_enough_to_hold_one_idea(path):
    n_lines, name = lines_of_code(path), str(path.relative_to(PACKAGE))
    if name in LONG_FILES:
        assert n_lines > MOST_LINES, f"{name} is short enough now: take it out of LONG_FILES"
    else:
        assert n_lines <= MOST_LINES, f"{name} has {n_lines} lines of code: it may hold two ideas"


def test_layers_name_each_module_once():
    assert len(RANK) == sum(len(modules) for modules in LAYERS)
    assert set(LONG_FILES) <= {str(path.relative_to(PACKAGE)) for path in FILES}
    files = {path.relative_to(PACKAGE).as_posix() for path in FILES}
    assert set().union(NOT_IN, *ONLY_IN.values()) <= set(RANK) | files


def test_lines_of_code_leave_out_comments_blanks_and_docstrings(tmp_path):
    path = tmp_path / "some.py"
    path.write_text(
        '"""Some\n\nwords."""\n\n# a comment\nx = [\n    1,\n\n]  # counted once\n\n\ndef f():\n    "Doc."\n'
    )
    assert lines_of_code(path) == 4  # x = [ / 1, / ] / def f():
