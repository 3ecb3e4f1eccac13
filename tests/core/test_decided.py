from coinhts_core.decided import decided_on


def test_decisions_of_a_day_are_those_that_are_stored(desk):
    """Each with its strategy, its coin, when the bar closed, and at what price; days not stored have none."""
    desk.collect(desk.days)
    desk.decide(desk.days[:3])
    day, symbol = desk.days[2], desk.registered.symbol
    stored = desk.lake.read("signals/sma_cross", symbol, day, day)
    wanted = [row for row in stored.iter_rows(named=True) if row["side"]]
    found = decided_on(desk.lake, desk.entry, [symbol], day)
    assert wanted
    assert {of.side for of in found} == {"enter", "leave"}
    assert [(of.decided_at, 1 if of.side == "enter" else -1, of.price_krw) for of in found] == [
        (row["decided_at"], row["side"], row["price_krw"]) for row in wanted
    ]
    assert {(of.strategy, of.symbol) for of in found} == {("sma_cross", symbol)}
    assert decided_on(desk.lake, desk.entry, [symbol], desk.days[3]) == []
    assert decided_on(desk.lake, desk.entry, [], day) == []
