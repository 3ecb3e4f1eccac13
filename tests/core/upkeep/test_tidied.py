from coinhts_core.upkeep.tidied import Tidied


def test_it_counts_everything_and_names_some():
    """A document stays readable, however much there is to put away."""
    tidied = Tidied.of({f"log.{number}": number for number in range(100)})
    assert (tidied.count, tidied.size, len(tidied.names)) == (100, 4_950, 20)
    assert tidied.facts["names"][0] == "log.0"
    assert Tidied.named(["one", "two"]).facts == {"count": 2, "bytes": 0, "names": ["one", "two"]}
