"""Pictures of training and of forecasts, drawn with matplotlib, which is imported when one is drawn.

Every function draws on the Axes given as `ax`, or makes a figure, and returns the Axes, so that titles, limits and
the like are set as on any other. Nothing is shown or saved: that is ``plt.show()`` or ``ax.figure.savefig(...)``.
"""

from skrnn._plots_attention import plot_attention
from skrnn._plots_fan import plot_fan
from skrnn._plots_forecasts import plot_backtest, plot_horizon_error
from skrnn._plots_predictions import plot_forecast, plot_predictions
from skrnn._plots_training import plot_history, plot_lr_range

__all__ = [
    "plot_attention",
    "plot_backtest",
    "plot_fan",
    "plot_forecast",
    "plot_history",
    "plot_horizon_error",
    "plot_lr_range",
    "plot_predictions",
]
