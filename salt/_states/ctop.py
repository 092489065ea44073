"""
One binary at the hash of the settings: fetched by core's `file.managed`, whose dry run shows
other changes than its run.
"""


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
    what = f"ctop {version}" if version else "ctop"
    ret = {"name": name, "result": True, "changes": {}, "comment": f"{what} is already correct"}
    changes = _differences(name, source_hash)
    if not changes:
        return ret
    if __opts__["test"]:
        comment = f"{what} would change: {', '.join(changes)}"
        return {**ret, "result": None, "changes": changes, "comment": comment}
    fetched = __states__["file.managed"](name, source=source, source_hash=source_hash, mode="0755")
    left = _differences(name, source_hash)
    done = {key: change for key, change in changes.items() if key not in left}
    if fetched["result"] is False or left:
        why = (
            fetched["comment"] if fetched["result"] is False else f"still to do: {', '.join(left)}"
        )
        comment = (
            f"{what} could not be completed: {why}. Changed so far: {', '.join(done) or 'nothing'}"
        )
        return {**ret, "result": False, "changes": done, "comment": comment}
    return {**ret, "changes": done, "comment": f"{what} changed: {', '.join(done)}"}


def _differences(name, source_hash):
    wanted, have = {"ctop": source_hash, "mode": "0755"}, {"ctop": None, "mode": None}
    if __salt__["file.file_exists"](name):
        digest = __salt__["file.get_hash"](name, "sha256")
        have = {"ctop": f"sha256={digest}", "mode": __salt__["file.get_mode"](name)}
    return {key: {"old": have[key], "new": new} for key, new in wanted.items() if have[key] != new}
