"""Errors and scorers that leave unknown targets out.

The targets of a forecast are unknown (NaN) where the future lies beyond the data. scikit-learn's metrics
refuse NaN; these skip it, take one axis more, and are equal to scikit-learn's where everything is known.

The scorers also put the two sides in line. An estimator with ``horizon=h`` is fitted with the series itself,
so its ``y`` holds the value *at* each row while its prediction holds the values *after* each row.
scikit-learn's scorers would compare the one with the other without a word.

Labels of tokens are lists of unequal lengths, which scikit-learn's metrics refuse too; `token_accuracy`, `span_f1` and
`span_scores` take them.
"""

from skrnn._known_targets import steps_as_rows as steps_as_rows  # for estimators whose targets have steps
from skrnn._point_errors import mean_absolute_error, mean_squared_error, r2_score, smape
from skrnn._probabilistic_errors import coverage, crps, pinball
from skrnn._scaled_errors import mase
from skrnn._scorers import (
    mae_scorer,
    mase_scorer,
    mse_scorer,
    r2_scorer,
    smape_scorer,
    span_f1_scorer,
    token_accuracy_scorer,
)
from skrnn._tagging_scores import span_f1, span_scores, token_accuracy

__all__ = [
    "coverage",
    "crps",
    "mae_scorer",
    "mase",
    "mase_scorer",
    "mean_absolute_error",
    "mean_squared_error",
    "mse_scorer",
    "pinball",
    "r2_score",
    "r2_scorer",
    "smape",
    "smape_scorer",
    "span_f1",
    "span_f1_scorer",
    "span_scores",
    "token_accuracy",
    "token_accuracy_scorer",
]
