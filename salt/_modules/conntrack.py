"""
Connection tracking: how large the table should be, how full it is, and the state's work.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _conntrack_host
import _conntrack_plan
import _conntrack_size
import _converge


def max(ram_bytes=None, arch_bits=None, ram_share=0.5):
    """
    Say how many connections a host of this size should track.

    ram_bytes (int, bytes)
        Default: the RAM that is installed, see ``_conntrack_size.ram``.
    arch_bits (int, 32 or 64)
        Default: those of the running kernel.
    ram_share (number from 0 to 1, default 0.5)
        The share of the RAM that the rule uses.

    Returns entries (int): ``RAM / 16384 / (arch_bits / 32)``, 131072 for 8 GiB.

    Raises SaltInvocationError for a value outside these limits, CommandExecutionError
    when the RAM is not told and cannot be found out.

    CLI Example:

    .. code-block:: bash

        salt '*' conntrack.max
        salt '*' conntrack.max ram_bytes=17179869184 arch_bits=64 ram_share=1

    Source: Eychenne, "Netfilter conntrack performance tweaking", v0.8
    """
    return _conntrack_size.max(ram_bytes, arch_bits, ram_share)


def usage():
    """
    Say how full the connection tracking table is.

    Returns a dict of ``count``, ``max`` and ``buckets`` (int) and ``percent`` (float;
    None when the table has no limit), or None while the kernel tracks nothing: the
    module nf_conntrack is not loaded.

    Raises CommandExecutionError when the kernel's values cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' conntrack.usage

    Source: kernel documentation nf_conntrack-sysctl.rst
    """
    return _conntrack_size.usage()


def tuned(
    name,
    max=None,
    ram_share=0.5,
    tcp_timeout_established=86400,
    tcp_timeout_close_wait=60,
    tcp_timeout_fin_wait=60,
    tcp_timeout_time_wait=60,
    test=False,
):
    """
    Converge, as the state ``conntrack.tuned`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc conntrack.tuned``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' conntrack.tuned conntrack test=True

    Source: the state ``conntrack.tuned``
    """
    wanted = {
        "max": max,
        "tcp_timeout_established": tcp_timeout_established,
        "tcp_timeout_close_wait": tcp_timeout_close_wait,
        "tcp_timeout_fin_wait": tcp_timeout_fin_wait,
        "tcp_timeout_time_wait": tcp_timeout_time_wait,
    }
    return _converge.run(
        name,
        "Connection tracking",
        observe=lambda: _conntrack_host.observe(ram_share),
        plan=lambda seen: _conntrack_plan.plan(seen, wanted),
        apply=lambda seen, changes: _conntrack_host.apply(changes),
        test=test,
        notes=lambda seen: _conntrack_plan.notes(seen, wanted),
    )
