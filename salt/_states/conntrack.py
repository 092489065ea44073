"""
Connection tracking: a table that fits the host, now and after every boot.
"""


def tuned(
    name,
    max=None,
    ram_share=0.5,
    tcp_timeout_established=86400,
    tcp_timeout_close_wait=60,
    tcp_timeout_fin_wait=60,
    tcp_timeout_time_wait=60,
):
    """
    Load nf_conntrack now and at boot, with its table, buckets and TCP timeouts.

    The buckets follow the table (at least a quarter) and are never lowered. The files
    are ours: /etc/sysctl.d/99-zz-rancher-conntrack.conf,
    /etc/modprobe.d/zz-rancher-conntrack.conf, /etc/modules-load.d/rancher-conntrack.conf.

    name (str)
        Any name.
    max (int, entries)
        Default None: computed from the RAM, but never below what the kernel has.
    ram_share (number from 0 to 1, default 0.5)
        Share of the RAM that the computation uses, see ``conntrack.max``.
    tcp_timeout_established (int, seconds, default 86400)
        How long a silent connection is remembered.
    tcp_timeout_close_wait (int, seconds, default 60)
        The same for one that the other side closed.
    tcp_timeout_fin_wait (int, seconds, default 60)
        The same for one that this side closed.
    tcp_timeout_time_wait (int, seconds, default 60)
        The same for one that both sides closed.

    Returns a state return; ``changes`` by file, module and value. Refuses in a container
    and in another network namespace, where the kernel does not let these values be set.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single conntrack.tuned name=conntrack test=True

    Source: kernel documentation nf_conntrack-sysctl.rst, sysctl.d(5), modprobe.d(5), modules-load.d(5)
    """
    return __salt__["conntrack.tuned"](
        name,
        max,
        ram_share,
        tcp_timeout_established,
        tcp_timeout_close_wait,
        tcp_timeout_fin_wait,
        tcp_timeout_time_wait,
        test=__opts__["test"],
    )
