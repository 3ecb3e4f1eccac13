"""Two results side by side, as a page of the desk.

What lives here: `comparison_page`. What stays out: its parts, which a file shows, too
(`coinhts_core.results.comparison_page`).
"""

from coinhts_core.backtests.tearsheet.markup import tag
from coinhts_core.results.comparison import Comparison
from coinhts_core.results.comparison_page import parts_of, title_of
from coinhts_pipeline.front.pages.looks import days, page
from coinhts_pipeline.front.pages.results import HERE, result_link


def comparison_page(of: Comparison) -> str:
    both = [tag("li", result_link(kept), ", ", days(kept.first_day, kept.last_day)) for kept in (of.first, of.second)]
    told = (tag("ol", *both), tag("p", of.verdict), parts_of(of))
    return page(title_of(of), *told, here=HERE, is_below=True, has_charts=True)
