from signaldesk.engine.cadence import Cadence


def test_cheap_saves_keep_to_the_interval_that_was_asked_for() -> None:
    cadence = Cadence(1.0, now=100.0)
    assert not cadence.due(100.9, 50)
    assert cadence.due(101.0, 50)
    cadence.begun(101.0, 50)
    cadence.took(0.02)
    assert not cadence.due(101.9, 50)
    assert cadence.due(102.0, 50)


def test_dear_saves_take_a_twentieth_of_the_time() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(1.0, 1_000)
    cadence.took(0.5)
    assert not cadence.due(10.4, 1_000)
    assert cadence.due(10.6, 1_000)


def test_a_save_of_few_windows_need_not_wait_because_one_of_many_was_dear() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(1.0, 1_000)
    cadence.took(0.5)
    assert cadence.due(2.0, 40)


def test_what_one_round_trip_takes_is_no_cost_of_its_windows() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(1.0, 1)
    cadence.took(0.02)
    assert cadence.due(2.0, 2_000)


def test_the_first_save_waits_as_well_when_there_are_very_many_windows() -> None:
    cadence = Cadence(1.0, now=0.0)
    assert not cadence.due(9.9, 50_000)
    assert cadence.due(10.0, 50_000)


def test_a_save_of_nothing_says_nothing_about_the_next() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(1.0, 0)
    cadence.took(0.5)
    assert cadence.due(2.0, 2_000)


def test_no_save_is_put_off_for_longer_than_twenty_seconds() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(0.0, 1_000)
    cadence.took(60.0)
    assert not cadence.due(19.9, 1_000)
    assert cadence.due(20.0, 1_000)


def test_a_longer_interval_that_was_asked_for_is_kept() -> None:
    cadence = Cadence(300.0, now=0.0)
    cadence.begun(0.0, 1_000)
    cadence.took(60.0)
    assert not cadence.due(299.0, 1_000)
    assert cadence.due(300.0, 1_000)
