"""
How fast: `python -m bench` measures the tree beside the least that is possible, beside Ansible and beside pyinfra.

A benchmark, not a test. The hosts are those of tests/functional/hosts.py: Debian 12 with systemd
in namespaces, at native speed, without disks: the thin pool, data disk and swap are left out.
"""
