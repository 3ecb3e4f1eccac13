import dagster as dg
import pytest

from coinhts_core.errors import BadMarketError, ExchangeUnavailableError, LedgerBusyError, RetryableError
from coinhts_pipeline import verdicts
from coinhts_pipeline.verdicts import asset_body, failure_of, is_passing, told_to_dagster


def test_wait_becomes_a_retry():
    """Nothing is wrong with what was asked; Dagster tries again by itself."""
    with pytest.raises(dg.RetryRequested) as asked, told_to_dagster():
        raise LedgerBusyError(seconds=2)
    assert asked.value.max_retries == 3
    assert isinstance(asked.value.__cause__, LedgerBusyError)


def test_fix_becomes_a_failure_that_is_not_retried():
    """Trying again would find the same."""
    with pytest.raises(dg.Failure, match="'x' is not a market code") as failure, told_to_dagster():
        raise BadMarketError(text="x")
    assert failure.value.allow_retries is False


def test_what_is_not_ours_passes_as_it_is():
    """A bug is neither to be waited for nor for its operator to mend."""
    with pytest.raises(ZeroDivisionError), told_to_dagster():
        _ = 1 / 0


def test_an_assets_body_keeps_its_name_and_story():
    """Dagster takes both from the function."""

    @asset_body
    def story(number: int):
        """Once upon a time."""
        yield number

    assert (story.__name__, story.__doc__) == ("story", "Once upon a time.")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BadMarketError(text="x"), "'x' is not a market code; write it like KRW-BTC"),
        (KeyError("gone"), "KeyError: 'gone'"),
    ],
)
def test_a_failed_run_tells_its_first_cause(error, reason):
    """One sentence with the run and the step, not a trace; a bug is called by its name."""

    @dg.asset
    @asset_body
    def stumbling():
        yield dg.Output(1)
        raise error

    result = dg.materialize([stumbling], raise_on_error=False)
    failure = failure_of(result)
    assert str(failure) == f"run {result.run_id} failed in stumbling: {reason}"
    assert failure.exit_code == 3


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (RetryableError(what="the lake"), True),
        (LedgerBusyError(seconds=2), True),
        (ExchangeUnavailableError(venue="sample", reason="it is away"), False),
        (BadMarketError(text="x"), False),
        (KeyError("gone"), False),
    ],
)
def test_only_places_of_the_house_are_worth_waiting_for(error, passes, monkeypatch):
    """They come back; of an exchange that is away the days are told, and asked for by whoever comes later."""
    monkeypatch.setattr(verdicts, "_SECONDS_BETWEEN", 0)

    @dg.asset
    @asset_body
    def stumbling():
        yield dg.Output(1)
        raise error

    assert is_passing(dg.materialize([stumbling], raise_on_error=False)) is passes


def test_a_run_that_did_not_fail_is_not_waited_for():
    """Nothing of it passes."""

    @dg.asset
    def well():
        return 1

    assert not is_passing(dg.materialize([well]))
