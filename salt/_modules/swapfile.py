"""
The swap file: made, in use, there at every boot.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _settings
import _swapfile
import _swapfile_make
import _swapfile_plan


def active(name, size=None, data_disk=None, test=False):
    """
    Converge, as the state ``swapfile.active`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc swapfile.active``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' swapfile.active /data/swap/swapfile 2G test=True

    Source: the state ``swapfile.active``
    """
    if size is None:
        comment = "No swap file is configured, so an existing one is left alone"
        return {"name": name, "result": True, "changes": {}, "comment": comment}

    def plan(seen):
        return _swapfile_plan.plan(name, _settings.size(size), seen)

    def apply(seen, changes):
        _swapfile_make.apply(_settings.size(size), seen, changes)

    return _converge.run(
        name,
        f"Swap file {name}",
        observe=lambda: _swapfile.status(name, data_disk),
        plan=plan,
        apply=apply,
        test=test,
        notes=_notes,
    )


def _notes(seen):
    said = [
        f"{path} is in use as a swap file, too: if rancher:swap:file named it before, end its use "
        f"(swapoff {path}), take its line out of /etc/fstab and remove it"
        for path in seen["others"]
    ]
    if seen["waits_for"]:
        said.append(
            f"The data disk is not mounted at {seen['waits_for']} yet: taken as empty and big enough"
        )
    return said
