# SPDX-License-Identifier: MIT
"""Fixtures that the tests in browsers share."""

import pytest
from support.browser import Browser


@pytest.fixture
def chromium(tmp_path, ended):
    """A Chromium of the test's own."""
    opened = Browser(tmp_path / "browser")
    ended.callback(opened.stop)
    return opened
