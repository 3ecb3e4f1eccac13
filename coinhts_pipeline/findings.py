"""Findings: what a run found wrong with candles, said as asset checks.

What lives here: the checks of candles, each a true sentence, and gathering who breaks it. What to add: a check, as a
name, its sentence and the place that finds offenders. What stays out: judging (`coinhts_core.candles`).
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import dagster as dg

from coinhts_core.candles.collection import Collection
from coinhts_core.candles.frame import RULES, BadBar
from coinhts_core.candles.quarantine import BadBars
from coinhts_core.candles.revisions import Revision

_MOST_NAMED = 50
_WARNINGS = {"bars_are_in_order", "days_were_not_revised", "bars_are_fresh", "day_bars_agree_with_minutes"}

MINUTE_CHECKS: Final = {
    "days_are_complete": "Every day asked for was answered, and no bar of it is missing because it was bad.",
    "bars_have_their_columns": "What was told is candles: all columns are there, and hold times and numbers.",
    **{
        rule: f"{rule.replace('_', ' ').capitalize()}: a bar of which that is not true is kept in quarantine."
        for rule in RULES
    },
    "bars_are_in_order": "Bars were told in the order of time; those in another order are stored sorted.",
    "days_were_not_revised": "No day that had been answered completely was told differently when it was asked again.",
    "bars_are_fresh": "A followed, listed symbol's newest bar is at most 24 hours older than the newest day asked for.",
}
DAY_CHECKS: Final = {
    "day_bars_are_fresh": "Each symbol has the bar of yesterday, or of the day it was delisted.",
    "day_bars_keep_every_rule": "No day bar broke a rule; one that does is in quarantine.",
    "day_bars_agree_with_minutes": "Where both are stored, prices are the same exactly, and volumes nearly.",
}


def specs(asset: dg.AssetKey, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=asset, description=sentence) for name, sentence in checks.items()]


class Findings:
    """Who breaks which check, and how; a check that nobody breaks has passed."""

    def __init__(self, checks: Mapping[str, str]) -> None:
        self._checks = checks
        self._offenders: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, check: str, offender: str, how: str) -> None:
        self._offenders[check][offender].append(how)

    def add_bar(self, check: str, symbol: str, day: date, of: BadBar) -> None:
        place = f"{of.opened_at:%Y-%m-%d %H:%M}" if of.opened_at else str(day)
        self.add(check, f"{place} {symbol}", f"{of.rule}: {json.dumps(of.bar)}")

    def add_collection(self, collection: Collection, kept: BadBars, revisions: list[Revision]) -> None:
        """What was wrong with a symbol's minutes; `kept` are the bars that earlier answers put in quarantine."""
        symbol, refused = collection.registered.symbol, collection.refused
        partial = {
            day: f"{len(bars)} of its bars are bad"
            for day, bars in collection.bad.items()
            if day in collection.answered
        }
        for day, reason in {**refused, **partial}.items():
            self.add("days_are_complete", f"{day} {symbol}", reason)
        for day in collection.unreadable:
            self.add("bars_have_their_columns", f"{day} {symbol}", refused[day])
        for day in collection.unordered:
            self.add("bars_are_in_order", f"{day} {symbol}", "told in another order")
        for day, bars in {**{day: kept.get(day, ()) for day in refused}, **collection.bad}.items():
            for of in bars:
                self.add_bar(of.rule, symbol, day, of)
        for of_day in revisions:
            self.add("days_were_not_revised", f"{of_day.day} {symbol}", str(of_day))

    def results(self) -> Iterator[dg.AssetCheckResult]:
        for check, sentence in self._checks.items():
            offenders = self._offenders[check]
            yield dg.AssetCheckResult(
                check_name=check,
                passed=not offenders,
                severity=dg.AssetCheckSeverity.WARN if check in _WARNINGS else dg.AssetCheckSeverity.ERROR,
                description=sentence if not offenders else f"Not so in {len(offenders)} places. {sentence}",
                metadata={name: "; ".join(hows) for name, hows in sorted(offenders.items())[:_MOST_NAMED]},
            )
