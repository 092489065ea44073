"""What has been proven already, kept over interruptions for as long as the code is the same."""

import hashlib
import json

from fakes import ROOT

CACHE = ROOT / ".cache/prove"
CODE = ("_modules/*.py", "_states/*.py", "salt/**/*.sls", "salt/**/*.yaml", "salt/*.jinja")


def code(*more):
    """A short hash of everything that a run on a host executes, and of more files."""
    found = hashlib.sha256()
    for path in sorted({path for glob in (*CODE, *more) for path in ROOT.glob(glob)}):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:12]


class Journal:
    """Results by section and case: each is a line that is on disk before the next case begins."""

    def __init__(self, folder=CACHE, key=None):
        self.key = key or code()
        self.path = folder / f"{self.key}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self.rows = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # cut off in the middle of a line
            self.rows[row["section"], row["case"]] = row

    def has(self, section, case):
        return (section, case) in self.rows

    def add(self, section, case, ok, **cells):
        """Write down one result; a case that failed is tried again by the next run."""
        row = {"section": section, "case": case, "ok": bool(ok), **cells}
        self.rows[section, case] = row
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        return row

    def forget(self):
        """Begin anew."""
        self.path.unlink(missing_ok=True)
        self.rows.clear()

    def of(self, section):
        return [row for (name, _), row in self.rows.items() if name == section]


def problems_of(attempt, *args):
    """What an attempt complains of. A traceback is the worst answer, not the end of all proofs."""
    try:
        return list(attempt(*args))
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is what we look for
        return [f"{type(exc).__name__}: {exc}"]
