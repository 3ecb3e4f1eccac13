import dagster as dg
import pytest
from structlog.contextvars import get_contextvars

from coinhts_pipeline.log_ids import in_lines, of_run
from coinhts_pipeline.resources import House
from coinhts_pipeline.verdicts import asset_body

DAYS = dg.StaticPartitionsDefinition(["2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC"])


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({}, {}),
        ({"dagster/partition": "2026-01-01|KRW-BTC"}, {"partition": "2026-01-01|KRW-BTC"}),
        (
            {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"},
            {"partition": "a…b"},
        ),
    ],
)
def test_a_run_is_known_by_its_tags(tags, told):
    """One partition, the corners of many, or none."""
    assert of_run("r-1", tags) == {"run_id": "r-1"} | told


def test_what_is_bound_is_bound_meanwhile():
    """Also when what happened meanwhile failed."""
    with in_lines(asset="a"):
        assert get_contextvars() == {"asset": "a"}
    with pytest.raises(ZeroDivisionError), in_lines(asset="a"):
        raise ZeroDivisionError
    assert get_contextvars() == {}


@pytest.mark.parametrize("fails", [False, True])
def test_whatever_a_step_says_is_of_its_run_asset_and_days(house, fails):
    """While it works and while its days are handed over; a command's next run has its own."""
    seen = []

    class Kept(dg.IOManager):
        def handle_output(self, context, obj):
            del context
            seen.append((obj, get_contextvars()))

        def load_input(self, context):
            del context

    @dg.asset(key=["candles", "tried"], partitions_def=DAYS)
    @asset_body
    def tried(house: House):
        assert house.rooms
        seen.append(("working", get_contextvars()))
        yield dg.Output("handed over")
        if fails:
            raise ZeroDivisionError

    result = dg.materialize(
        [tried], instance=house.instance, resources={"house": House(), "io_manager": Kept()},
        partition_key="2026-01-02|KRW-BTC", raise_on_error=False,
    )  # fmt: skip
    assert result.success is not fails
    ids = {"run_id": result.run_id, "asset": "candles/tried", "partition": "2026-01-02|KRW-BTC"}
    assert seen == [("working", ids), ("handed over", ids)]
    assert get_contextvars() == {}
