"""What the UI shows of every asset, job and check: walked whole, so that nothing new comes in without its story."""

import dagster as dg
import pytest

from coinhts_pipeline.definitions import defs

# Columns that nothing upstream holds: they say whose row it is, or which link it was read off.
OF_ITS_OWN = {"symbol", "strategy", "is_active", "chain_id"}


@pytest.fixture(scope="module")
def repository():
    return defs().get_repository_def()


@pytest.fixture(scope="module")
def nodes(repository):
    return {key: repository.asset_graph.get(key) for key in repository.asset_graph.get_all_asset_keys()}


@pytest.fixture(scope="module")
def columns(nodes):
    """Give the names of each asset's columns."""
    return {key: {of.name for of in schema_of(node).columns} for key, node in nodes.items()}


def schema_of(node):
    return node.metadata["dagster/column_schema"]


def lineage_of(node):
    found = node.metadata.get("dagster/column_lineage")
    return found.deps_by_column if found else {}


def is_a_sentence(text):
    first = (text or "").strip().split("\n")[0]
    return len(first.split()) > 3 and first[0].isupper() and first.endswith((".", ")"))


def test_every_asset_is_furnished(nodes):
    """A group, a sentence, an owner, kinds, tags, columns that each say what they hold, and a code version."""
    for key, node in nodes.items():
        name = key.to_user_string()
        assert node.group_name not in {None, "default"}, name
        assert is_a_sentence(node.description), f"{name}: {node.description}"
        assert node.owners, name
        assert node.kinds, name
        assert node.code_version, name
        assert [tag for tag in node.tags if not tag.startswith("dagster/")], f"{name} has no tag"
        for column in schema_of(node).columns:
            assert column.description, f"{name}: {column.name}"
            assert column.type, f"{name}: {column.name}"


def test_every_column_can_be_followed_back_to_the_exchange(nodes, columns):
    """Behind another asset each column names what it is made of, all of it columns that its own parents have."""
    for key, node in nodes.items():
        lineage = lineage_of(node)
        if node.parent_keys:
            assert columns[key] - lineage.keys() <= OF_ITS_OWN, key
        assert lineage.keys() <= columns[key], key
        for name, made_of in lineage.items():
            assert made_of, f"{key}: {name}"
            for source in made_of:
                assert source.asset_key in node.parent_keys, f"{key}: {name}"
                assert source.column_name in columns[source.asset_key], f"{key}: {name} of {source}"


def test_the_way_of_a_column_leads_from_the_leaderboard_to_candles(nodes):
    """A total return stands, over equity and decisions, on the closes of minutes."""
    seen, waiting = set(), [(dg.AssetKey("leaderboard"), "total_return")]
    while waiting:
        at = key, name = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting += [(of.asset_key, of.column_name) for of in lineage_of(nodes[key]).get(name, ())]
    assert {key.path[0] for key, _ in seen} == {"leaderboard", "performance", "backtests", "signals", "candles"}
    assert (dg.AssetKey(["candles", "minute"]), "close") in seen


def test_every_check_is_a_sentence(repository):
    """Its name is one, and its description another."""
    for key in repository.asset_graph.asset_check_keys:
        spec = repository.asset_graph.get_check_spec(key)
        assert "_" in key.name, key
        assert is_a_sentence(spec.description), f"{key}: {spec.description}"


def test_whatever_starts_a_run_says_why(repository):
    """Jobs, schedules and sensors are described, in a sentence each."""
    for of in (*repository.get_all_jobs(), *repository.schedule_defs, *repository.sensor_defs):
        if not of.name.startswith("__"):
            assert is_a_sentence(of.description), f"{of.name}: {of.description}"


def test_every_form_can_be_sent_as_it_is(repository):
    """Whatever a job may be told is explained and has a value already, and an empty form is a good one."""
    for job in repository.get_all_jobs():
        dg.validate_run_config(job, {})
        for step in job.graph.node_dict.values():
            fields = getattr(step.definition.config_schema.config_type, "fields", {})
            for name, field in fields.items():
                assert not field.is_required, f"{job.name}: {name}"
                assert field.default_provided, f"{job.name}: {name}"
                assert field.description, f"{job.name}: {name}"


def test_no_resource_asks_for_anything(repository):
    """A form names none, so none has to be typed."""
    for job in repository.get_all_jobs():
        for name, resource in job.resource_defs.items():
            assert not getattr(resource.config_schema.config_type, "fields", {}), f"{job.name}: {name}"
