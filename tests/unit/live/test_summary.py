"""The closing words of a bring-up."""

from __future__ import annotations

from live.summary import summarise
from tests.unit.operations.support import make_platform


def test_a_platform_says_its_url_and_how_each_path_is_asked_for() -> None:
    platform = make_platform()
    words = summarise("lab", platform.stack.environment, platform.outputs)
    assert f"  URL  {platform.outputs.url}\n" in words
    assert words.count("  crossmesh ask --stack lab https://") == 3


def test_where_nothing_is_exposed_it_says_so_and_names_nothing_to_ask_for() -> None:
    platform = make_platform()
    environment = platform.stack.environment.model_copy(update={"ingresses": {}})
    words = summarise("lab", environment, platform.outputs)
    assert "nothing is exposed yet; `ingresses` and `routes` declare it" in words
    assert "URL" not in words
    assert "crossmesh ask" not in words
