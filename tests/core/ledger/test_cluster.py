import os

from coinhts_core.ledger.cluster import complaint, last_words, postmaster
from coinhts_core.ledger.places import Account, Place


def test_a_complaint_is_the_first_line_that_tells_an_error():
    """What follows from it helps nobody, nor what the server answers while it is starting up."""
    text = "LOG:  hi\n[1] FATAL:  the database system is starting up\nFATAL:  no space\nPANIC:  cannot\n"
    assert complaint(text) == "no space"
    assert complaint("initdb: error: no space\n") == "no space"
    assert complaint("one\ntwo\n\n") == "two"
    assert complaint("") == "it ended without a word"


def test_last_words_are_of_the_last_start_in_the_newest_log(tmp_path):
    """The server complains in one file before it has opened its log, and in another afterwards."""
    place = Place(tmp_path, Account(0, 0), tmp_path, tmp_path / "socket")
    place.log.mkdir()
    (tmp_path / "start.log").write_text("FATAL:  early\n")
    earlier = "FATAL:  long ago\n" * 1_000
    (place.log / "postgres-Mon.log").write_text(f"{earlier}LOG:  starting PostgreSQL 18\nFATAL:  late\n")
    os.utime(tmp_path / "start.log", (1, 1))
    assert last_words(place) == "late"
    os.utime(place.log / "postgres-Mon.log", (0, 0))
    assert last_words(place) == "early"


def test_a_note_names_a_postmaster_only_if_it_is_one_of_this_data_directory(tmp_path):
    """A number alone proves nothing: it may be ours, a stranger's, nobody's, or no number."""
    for text in (str(os.getpid()), "4194304\n", "", "soup"):
        (tmp_path / "note").write_text(text)
        assert postmaster(tmp_path / "note", tmp_path) is None
    assert postmaster(tmp_path / "absent", tmp_path) is None
