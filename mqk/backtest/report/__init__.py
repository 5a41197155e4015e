"""The report of a backtest: one page that needs nothing else, made of the run's own files and bars.

It decides nothing and is vouched for by nothing: every figure in it stands in the other artifacts.
"""

from mqk.backtest.report.page import report_html

__all__ = ["report_html"]
