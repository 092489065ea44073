"""Runs on a host: one run of a step, ended by SIGKILL at a point. `one_run.py ORDER` (JSON)."""

import json
import os
import sys

import deadly
import guest_driver

FOLDER = "/srv/prove"


def main(step, test, number=0, how="", seconds=0.0):
    tree = guest_driver.Tree(guest_driver.load("/srv/tree", FOLDER))
    chunks = tree.modules["state.show_low_sls"](step)
    tree.chunks = sorted(chunks, key=lambda chunk: chunk["order"])
    if not test:
        guest_driver.watch(deadly.Deadly(f"{FOLDER}/now", number, how, seconds))
    report = tree.apply(test)
    shown = {each["__id__"]: each for each in report.values()}
    handle = os.open(f"{FOLDER}/now.json", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(handle, json.dumps(shown, default=str).encode())


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
