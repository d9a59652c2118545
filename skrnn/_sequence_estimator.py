"""What all estimators do before there is a net: parameters, and X turned into sequences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skrnn._column_names import warn_about_columns
from skrnn._net_params import is_nested
from skrnn._validation import (
    FLOATS,
    Sequences,
    all_finite,
    check_no_texts,
    check_sequences,
    is_plain,
    is_sequence_input,
    series_of_single_steps,
    table_sequences,
)


class SequenceEstimator(BaseEstimator):
    """Abstract: an estimator of sequences that remembers channels and names.

    It takes nested names of `net_params` as parameters, and turns X into `Sequences`.
    """

    n_channels: int | None
    horizon: int | None = None  # a parameter of estimators that forecast
    net_params: dict[str, Any] | None
    window_scaling: Any
    _layout: str
    _token_fingerprint: str | None  # as fitted: what the ids of tokens mean; None for numbers

    # -- parameters ------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Also list what is in `net_params`, under its own names.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=deep)
        net_params = params.get("net_params")
        if deep and isinstance(net_params, dict):
            params |= {key: value for key, value in net_params.items() if key not in params}
        return params

    def set_params(self, **params: Any) -> SequenceEstimator:
        """Set the parameters of this estimator; names such as `optimizer__betas` go into `net_params`.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        nested = {key: params.pop(key) for key in list(params) if is_nested(key)}
        super().set_params(**params)
        if nested:
            former = self.net_params if isinstance(self.net_params, dict) else {}
            self.net_params = {**former, **nested}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # -- input -----------------------------------------------------------------------------------------------------

    def _check_X(self, X: Any, *, reset: bool) -> Sequences:
        """Turn X into sequences; `reset` records its channels and names, else they must be those of `fit`."""
        check_no_texts(X, type(self).__name__)
        # a list of sequences stays one where their lengths happen to be equal
        listed = not reset and self._layout == "sequences" and isinstance(X, (list, tuple))
        if not is_sequence_input(X) and not listed:
            sequences = self._check_table(X, reset=reset)
        else:
            sequences = check_sequences(X, n_channels=None if reset else self._expected_channels("sequences"))
            self._check_channel_names(sequences, reset=reset)
        self._check_tokens(sequences, reset=reset)
        if reset:
            self.n_channels_ = sequences.n_channels
            self._layout = sequences.layout
        return series_of_single_steps(sequences) if self.horizon is not None else sequences

    def _check_tokens(self, sequences: Sequences, *, reset: bool) -> None:
        """Ids mean something to the vectors that they were learned with only."""
        tokens = sequences.tokens
        fingerprint = None if tokens is None else tokens.fingerprint
        if reset:
            self._token_fingerprint = fingerprint
            if tokens is not None and self.window_scaling not in ("auto", None):
                raise ValueError(
                    f"window_scaling={self.window_scaling!r} is for numbers, and X is tokens. Leave it at 'auto'."
                )
        else:
            self._check_same_tokens(fingerprint)

    def _check_same_tokens(self, other: str | None, *, refitted: bool = False) -> None:
        """Raise ValueError unless tokens of that fingerprint (None: numbers) are of the kind last seen in `fit`."""
        if other == self._token_fingerprint:
            return
        if refitted and None not in (other, self._token_fingerprint):
            raise ValueError(
                "warm_start=True goes on with the vectors of the former fit, but the vocabulary has changed: a "
                "TokenEmbedder in a pipeline is fitted anew with the texts of each fit. Set warm_start=False, or fit "
                "the embedder once and pass what its `transform` gives."
            )
        if other is not None and self._token_fingerprint is not None:
            raise ValueError(
                "The tokens of X were made by another TokenEmbedder than those of `fit`, so their ids mean other "
                "words. Transform with the TokenEmbedder that was fitted with this estimator (a pipeline does)."
            )
        kinds = ("tokens (from TokenEmbedder)", "numbers")
        fitted, given = kinds if other is None else kinds[::-1]
        raise ValueError(
            f"{type(self).__name__} was fitted on {fitted}, but X holds {given}. Pass X in the form that `fit` had."
        )

    def _check_table(self, X: Any, *, reset: bool) -> Sequences:
        if not reset:
            self._expected_channels("table")
        columns = getattr(X, "columns", None)
        if getattr(X, "ndim", 2) > 3:
            raise ValueError(
                f"X must be 3-D (n_samples, n_steps, n_channels), a list of sequences or a 2-D table, "
                f"got shape {X.shape}."
            )
        if reset or not self._needs_no_check(X):
            X = validate_data(self, X, dtype=list(FLOATS), reset=reset)
        if reset and columns is not None:
            warn_about_columns(columns, self.n_channels)
        return table_sequences(X, self.n_channels)

    def _needs_no_check(self, X: Any) -> bool:
        """Whether scikit-learn's check of a table would find nothing to say or to change."""
        unnamed = not hasattr(self, "feature_names_in_")  # else X should have had names
        return unnamed and is_plain(X, ndim=2) and X.shape[1] == self.n_features_in_ and all_finite(X)

    def _expected_channels(self, layout: str) -> int:
        if layout != self._layout:
            words = {"sequences": "sequences (3-D or ragged)", "table": "a 2-D table"}
            raise ValueError(
                f"{type(self).__name__} was fitted on {words[self._layout]}, but X is {words[layout]}. "
                "Pass X in the form that `fit` had."
            )
        return self.n_channels_

    def _check_channel_names(self, sequences: Sequences, *, reset: bool) -> None:
        names = sequences.channel_names
        if reset:
            if self.n_channels is not None and self.n_channels != sequences.n_channels:
                raise ValueError(f"X has {sequences.n_channels} channels, but n_channels={self.n_channels} was set.")
            self.n_features_in_ = sequences.n_channels
            self.__dict__.pop("feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = np.asarray(names, dtype=object)
        elif names is not None and hasattr(self, "feature_names_in_") and list(names) != list(self.feature_names_in_):
            raise ValueError(
                f"The channels of X should be those of `fit`, in the same order: expected "
                f"{list(self.feature_names_in_)}, got {list(names)}."
            )

    def _resolve_channels(self, parameter: str) -> np.ndarray | None:
        """A parameter that names channels of X (by name or position) as positions; None where it is not set."""
        value = getattr(self, parameter)
        if value is None:
            return None
        if self._token_fingerprint is not None:
            raise ValueError(
                f"`{parameter}`={value!r} names a channel, but X is tokens, whose vectors have none. Set it to None."
            )
        given = np.atleast_1d(np.asarray(value, dtype=object))
        if not given.size:
            raise ValueError(f"`{parameter}` must name at least one channel, or be None, got an empty list.")
        names = list(getattr(self, "feature_names_in_", []))
        positions = []
        for channel in given:
            position = names.index(channel) if channel in names else channel
            if isinstance(position, bool) or not isinstance(position, (int, np.integer)):
                raise ValueError(f"`{parameter}` names {channel!r}, which is no channel of X: {names or 'unnamed'}.")
            if not 0 <= position < self.n_channels_:
                raise ValueError(
                    f"`{parameter}` names channel {position}, but X has channels 0 to {self.n_channels_ - 1}."
                )
            positions.append(int(position))
        return np.array(positions)

    def _checked_for_prediction(self, X: Any) -> Sequences:
        if not hasattr(self, "nets_"):
            check_is_fitted(self)
        return self._check_X(X, reset=False)

    def _sequences_for_nets(self, X: Any) -> Sequences:
        """Checked sequences as the nets are to see them."""
        return self._checked_for_prediction(X)

    @contextmanager
    def _left_as_it_was(self) -> Iterator[None]:
        """Whatever goes wrong in the block, the estimator keeps the state it had, a former fit included.

        Only an interrupt of the training itself leaves the net as far as it got.
        """
        before = dict(vars(self))
        try:
            yield
        except BaseException as error:
            trained = vars(self).get("net_") is not before.get("net_")
            if not isinstance(error, Exception) and trained:
                raise
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
