"""A Go command whose proxy has what the test says. Run as a program; its world is a JSON file beside it.

The world: `lists` (versions by module), `served` (by query `module@version`: the version), `sources` (by
`module@version`: a directory), `down` (its words when it can ask nobody), `unserved` (those of `mod tidy`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent
WORLD = json.loads((HERE / "world.json").read_text())
ABSENT = "reading https://proxy.example/{query}: 404 Not Found\n\tserver response: not found"


def main(arguments: list[str]) -> int:
    kept = {name: os.environ.get(name) for name in ("GOSUMDB", "GONOSUMDB", "GOFLAGS", "GOPROXY")}
    with (HERE / "log.jsonl").open("a") as log:
        log.write(json.dumps({"arguments": arguments, **kept}) + "\n")
    match arguments:
        case ["env", "GOVERSION"]:
            print("go1.99.0")
        case ["env", "GOPROXY"]:
            print(os.environ.get("GOPROXY", "https://proxy.example,direct"))
        case ["list", "-m", "-versions", "-json", module]:
            if module not in WORLD.get("lists", {}):
                return refused(f"go: {module}: no list here")
            print(json.dumps({"Path": module, "Versions": WORLD["lists"][module]}))
        case ["list", "-m", "-e", "-json", *queries]:
            for query in queries:
                print(json.dumps(known(query)))
        case ["mod", "download", "-json", query]:
            return download(query)
        case ["mod", "tidy"]:
            return tidy()
        case _:
            return refused(f"unexpected: {arguments}")
    return 0


def refused(words: str) -> int:
    print(words, file=sys.stderr)
    return 1


def known(query: str) -> dict[str, object]:
    path, _, version = query.partition("@")
    if "down" in WORLD:
        return {"Path": path, "Version": version, "Error": {"Err": WORLD["down"]}}
    if query in WORLD.get("served", {}):
        return {"Path": path, "Version": WORLD["served"][query]}
    return {"Path": path, "Version": version, "Error": {"Err": f"{query}: {ABSENT.format(query=query)}"}}


def download(query: str) -> int:
    if "@" not in query:
        lines = (line.removeprefix("require").split() for line in Path("go.mod").read_text().splitlines())
        (version,) = (words[1] for words in lines if words[:1] == [query] and len(words) > 1)
        query = f"{query}@{version}"
    query = WORLD.get("served", {}).get(query, query)
    path, _, version = query.partition("@")
    if query not in WORLD.get("sources", {}):
        print(json.dumps({"Path": path, "Version": version, "Error": ABSENT.format(query=query)}))
        return 1
    there = WORLD["sources"][query]
    print(json.dumps({"Path": path, "Version": version, "Dir": there, "Sum": "h1:s=", "GoModSum": "h1:m="}))
    return 0


def tidy() -> int:
    (HERE / "seed.sum").write_bytes(Path("go.sum").read_bytes())
    (HERE / "seed.mod").write_bytes(Path("go.mod").read_bytes())
    print("go: downloading example.org/library v1.0.0", file=sys.stderr)
    if "unserved" in WORLD:
        return refused(WORLD["unserved"])
    with Path("go.mod").open("a") as stream:
        stream.write("\nrequire example.org/library v1.0.0 // indirect\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
