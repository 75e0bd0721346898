from __future__ import annotations

from typing import Any

import pytest

from playbooks.provider.run.events import Progress, mask_of


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"changed": True}, ["role : Do it"]),
        ({"changed": True, "told": []}, ["role : Do it"]),
        ({"changed": True, "told": ["a with --b", "c"]}, ["role : Do it: a with --b; c"]),
        ({"changed": True, "told": ["the key is hunter2"]}, ["role : Do it: the key is [secret]"]),
        ({"changed": False, "told": ["nothing"]}, []),
    ],
)
def test_what_a_module_tells_of_its_change_is_shown_without_secrets(
    result: dict[str, Any], words: list[str]
) -> None:
    said: list[str] = []

    def tell(kind: str, **values: Any) -> None:
        if kind == "changed":
            said.append(values["task"])

    progress = Progress(tell, mask_of(["hunter2"]))
    progress({"event": "runner_on_ok", "event_data": {"task": "Do it", "role": "role", "res": result}})
    assert progress.changed == said == words
