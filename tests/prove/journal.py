"""What has been proven already, kept over interruptions for as long as the code is the same."""

import ast
import functools
import hashlib
import json

from fakes import ROOT

CACHE = ROOT / ".cache/prove"
MODULES = ("salt/_modules/*.py", "salt/_states/*.py")
CODE = (*MODULES, "salt/**/*.sls", "salt/**/*.yaml", "salt/**/*.jinja")
# Where the proof of each section begins; what it imports belongs to it.
PROOFS = {
    "refusals": ["refusals"],
    "disks that no tool knows": ["unknown_disks"],
    "our own disks, damaged": ["damaged_disks"],
    "lying tools": ["lying_tools"],
    "lying Docker": ["lying_daemon"],
    "hostile input": ["hostile_input"],
    "dry runs": ["dry_runs"],
    "races": ["races"],
    "running out": ["running_out"],
    "clock jumps": ["clock_jumps"],
    "many agents": ["many_agents"],
    "kills here": ["kills_of_disks"],
    "kills of docker": ["kills_of_docker", "one_run"],
    "kills of roles": ["kills_of_roles"],
    "device mapper": ["device_mapper", "host", "guest_driver"],
    "kills": ["kills_of_hosts", "host", "guest_driver"],
    "kills of roles in guests": [
        "kills_of_roles_in_guests",
        "roles_driver",
        "requested",
        "guest_driver",
    ],
}
# These go through the SLS and the settings; the others call modules and states themselves.
RENDERED = (
    "hostile input", "kills of docker", "device mapper", "kills", "kills of roles in guests", "points",
)  # fmt: skip
# These work with Rancher's modules, all others without them.
RANCHER = (
    "lying Docker", "hostile input", "clock jumps", "many agents", "kills of roles",
    "kills of roles in guests",
)  # fmt: skip
# These decide how results are kept and shown, not what they are.
KEEPING = ("journal", "jobs", "report")


def code(*more, rancher=True):
    """A short hash of everything that a run on a host executes, and of more files."""
    return _hash(_files((*CODE, *more), rancher))


def _files(globs, rancher=True):
    """Paths below the root; without those of Rancher's modules when they do not matter."""
    found = {path.relative_to(ROOT) for glob in globs for path in ROOT.glob(glob)}
    return {path for path in found if rancher or not path.name.lstrip("_").startswith("rancher")}


def _hash(files):
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(f"{path}\0".encode() + (ROOT / path).read_bytes())
    return found.hexdigest()[:12]


@functools.lru_cache(None)
def code_of(section):
    """The same with what tries it: other files of the proofs may change, and results stay."""
    files, left = set(), list(PROOFS.get(section, ()))
    while left:
        name = left.pop()
        for folder in ("tests/prove", "tests/kits", "tests", "tests/functional"):
            path = ROOT / folder / f"{name}.py"
            if name not in KEEPING and path.is_file() and path not in files:
                files.add(path)
                left += _imported(path.read_text())
    run = CODE if section in RENDERED else MODULES
    globs = (*run, *(str(path.relative_to(ROOT)) for path in files))
    return _hash(_files(globs, section in RANCHER))


def _imported(text):
    """The modules that a module imports, wherever it does; of other packages than these, none."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name.rpartition(".")[2] for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            package, _, name = (node.module or "").rpartition(".")
            if node.module in (None, "prove", "functional"):
                yield from (each.name for each in node.names)
            elif package in ("", "prove", "functional"):
                yield name


class Journal:
    """Results by section and case: each is a line that is on disk before the next case begins."""

    def __init__(self, folder=CACHE, key=None):
        self.key, self._fixed, self.folder = key or code(), key, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.read()

    def read(self):
        """Everything that is on disk for the code as it is."""
        self.rows = {}
        for path in {self.path(section) for section in (*PROOFS, "points")}:
            for line in path.read_text().splitlines() if path.exists() else ():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue  # cut off in the middle of a line
                if self.path(row["section"]) == path:
                    self.rows[row["section"], row["case"]] = row

    def path(self, section):
        """Where the results of a section are, for the code as it is."""
        return self.folder / f"{self._fixed or code_of(section)}.jsonl"

    def has(self, section, case):
        return (section, case) in self.rows

    def holds(self, section, case):
        """Whether it was tried and held; what did not is tried again by the next run."""
        return self.rows.get((section, case), {}).get("ok", False)

    def add(self, section, case, ok, **cells):
        """Write down one result."""
        row = {"section": section, "case": case, "ok": bool(ok), **cells}
        self.rows[section, case] = row
        with open(self.path(section), "a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        return row

    def forget(self, sections):
        """Begin anew with these."""
        for section in sections:
            self.path(section).unlink(missing_ok=True)
        self.rows = {key: row for key, row in self.rows.items() if key[0] not in sections}

    def of(self, section):
        return [row for (name, _), row in self.rows.items() if name == section]
