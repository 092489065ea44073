"""
The data disk: one partition with a file system, mounted now and at every boot.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _datadisk
import _datadisk_make
import _datadisk_plan
import _disk_refusals


def mounted(
    name, device=None, filesystem="xfs", label="data", options=("defaults", "nofail"), test=False
):
    """
    Converge, as the state ``datadisk.mounted`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc datadisk.mounted``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' datadisk.mounted /data /dev/disk/by-id/virtio-data test=True

    Source: the state ``datadisk.mounted``
    """
    if device is None:
        comment = "No data disk is configured"
        return {"name": name, "result": True, "changes": {}, "comment": comment}
    options = list(options or ["defaults"])
    # Not pillar.get: Salt 3008 masks what that gives to modules and states.
    pool = (__pillar__.get("rancher") or {}).get("thin_pool", {}).get("device")

    return _converge.run(
        name,
        f"Data disk {name}",
        observe=lambda: _datadisk.status(name, device, pool),
        plan=lambda seen: _datadisk_plan.plan(seen, filesystem, label, options),
        apply=lambda seen, changes: _datadisk_make.apply(seen, changes, filesystem, label, options),
        test=test,
        notes=lambda seen: _notes(seen, label, options),
    )


def _notes(seen, label, options):
    disk = seen["disk"]
    serial = f", serial {_disk_refusals.printable(disk['serial'])}" if disk["serial"] else ""
    size = _disk_refusals.size_text(disk["size"])
    said = _datadisk_plan.notes(seen["mounted"], label, options) if seen["mounted"] else []
    return [f"The disk is {disk['path']} ({disk['asked']}, {size}{serial})", *said]
