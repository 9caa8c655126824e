from signaldesk.engine.cadence import Cadence


def test_cheap_saves_keep_to_the_interval_that_was_asked_for() -> None:
    cadence = Cadence(1.0, now=100.0)
    assert not cadence.due(100.9)
    assert cadence.due(101.0)
    cadence.begun(101.0)
    cadence.took(0.02)
    assert not cadence.due(101.9)
    assert cadence.due(102.0)


def test_dear_saves_take_a_twentieth_of_the_time() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(1.0)
    cadence.took(0.5)
    assert not cadence.due(10.9)
    assert cadence.due(11.0)


def test_no_save_is_put_off_for_longer_than_twenty_seconds() -> None:
    cadence = Cadence(1.0, now=0.0)
    cadence.begun(0.0)
    cadence.took(60.0)
    assert not cadence.due(19.9)
    assert cadence.due(20.0)


def test_a_longer_interval_that_was_asked_for_is_kept() -> None:
    cadence = Cadence(300.0, now=0.0)
    cadence.begun(0.0)
    cadence.took(60.0)
    assert not cadence.due(299.0)
    assert cadence.due(300.0)
