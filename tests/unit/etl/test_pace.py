"""Whether work is taken for slow: by what it takes on average, and not for ever."""

from aistore.sdk.etl.webserver.pace import (
    PATIENCE_MAX,
    PATIENCE_MIN,
    SLOW_SECONDS,
    Pace,
)


def note(pace, seconds, times):
    for _ in range(times):
        pace.note(seconds)
        if pace.is_slow:
            return True
    return False


def pieces_until_tried_again(pace):
    count = 0
    while pace.is_slow:
        pace.skip()
        count += 1
    return count


def test_work_is_taken_for_fast_until_it_is_not():
    pace = Pace()
    assert not note(pace, SLOW_SECONDS / 2, 1000)
    assert note(pace, SLOW_SECONDS * 2, 100)


def test_one_piece_that_was_stuck_changes_nothing():
    pace = Pace()
    assert not note(pace, 3600.0, 1)
    assert not note(pace, SLOW_SECONDS / 10, 100)


def test_very_slow_work_is_known_at_once():
    assert note(Pace(), 3600.0, 3)
    assert not note(Pace(0.002), 0.0015, 1000)
    assert note(Pace(0.002), 3600.0, 3)


def test_slow_work_is_tried_again_ever_less_often():
    pace = Pace()
    seen = []
    for _ in range(8):
        assert note(pace, 0.002, 50)
        seen.append(pieces_until_tried_again(pace))
    assert seen[:3] == [PATIENCE_MIN, 2 * PATIENCE_MIN, 4 * PATIENCE_MIN]
    assert seen[-1] == PATIENCE_MAX


def test_what_was_slow_for_a_while_is_fast_again():
    pace = Pace()
    assert note(pace, 0.002, 50)
    pieces_until_tried_again(pace)
    assert not note(pace, SLOW_SECONDS / 10, 2 * PATIENCE_MIN + 1)
    assert note(pace, 0.002, 50)
    assert pieces_until_tried_again(pace) == PATIENCE_MIN


def test_a_late_count_of_slow_work_is_harmless():
    pace = Pace()
    for _ in range(3 * PATIENCE_MIN):
        pace.skip()
    assert not pace.is_slow
