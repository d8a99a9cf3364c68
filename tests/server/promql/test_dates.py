"""Parts of a time, as the calendar has them."""

import calendar
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.promql.dates import DATES, part

SECONDS = st.integers(-60_000_000_000, 200_000_000_000)


@given(SECONDS)
def test_every_part_is_the_calendars(seconds):
    moment = datetime.fromtimestamp(seconds, UTC)
    expected = {
        "day_of_month": moment.day,
        "day_of_week": moment.isoweekday() % 7,
        "day_of_year": moment.timetuple().tm_yday,
        "days_in_month": calendar.monthrange(moment.year, moment.month)[1],
        "hour": moment.hour,
        "minute": moment.minute,
        "month": moment.month,
        "year": moment.year,
    }

    assert {name: part(name, np.array([float(seconds)]))[0] for name in DATES} == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_what_is_no_time_has_no_parts(value):
    assert all(np.isnan(part(name, np.array([value]))[0]) for name in DATES)
