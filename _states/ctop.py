"""
One binary at the hash of the settings: fetched by core's `file.managed`, whose dry run shows
other changes than its run.
"""

from salt.exceptions import CommandExecutionError


def installed(name, source=None, source_hash=None, version=None):
    """
    The binary is there, executable, with the hash that is asked for.

    name (str)
        Its path.
    source (str, optional)
        Its URL. None: nothing is looked at.
    source_hash (str, optional)
        ``sha256=`` and 64 hex digits, needed with a source.
    version (str, optional)
        For the report only.

    Changes: ``ctop``, its hash; ``mode``.

    Returns a state return.

    Example:

    .. code-block:: yaml

        agent-ctop-installed:
          ctop.installed:
            - name: /usr/local/bin/ctop
            - source: https://files.example.com/ctop
            - source_hash: sha256=64ec...

    Source: Salt's documentation of ``file.managed``
    """
    if not source:
        return {"name": name, "result": True, "changes": {}, "comment": "No ctop is asked for"}
    wanted = {"ctop": source_hash, "mode": "0755"}

    def observe():
        if not __salt__["file.file_exists"](name):
            return dict.fromkeys(wanted)
        digest = __salt__["file.get_hash"](name, "sha256")
        return {"ctop": f"sha256={digest}", "mode": __salt__["file.get_mode"](name)}

    # Looked up here: within `converge.run` there are no states.
    managed = __states__["file.managed"]

    def fetch(_seen, _changes):
        ret = managed(name, source=source, source_hash=source_hash, mode="0755")
        if ret["result"] is False:
            raise CommandExecutionError(ret["comment"])

    return __salt__["converge.run"](
        name,
        f"ctop {version}" if version else "ctop",
        observe=observe,
        plan=lambda seen: {
            key: {"old": seen[key], "new": new} for key, new in wanted.items() if seen[key] != new
        },
        apply=fetch,
        test=__opts__["test"],
    )
