"""
Who listens on a TCP port of this host.
"""

import glob
import os

import _host

LISTENING = "0A"


def listener(port):
    """
    Find the process that listens on a TCP port, on whatever address. Returns a text such as
    ``nginx (pid 812)``, or None when nobody listens.
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        inodes |= sockets(_host.read(table) or "", port)
    return _owner(inodes) if inodes else None


def sockets(text, port):
    """The listening sockets of a port, out of the kernel's table. Returns a set of inodes (str)."""
    rows = (line.split() for line in _host.lines(text)[1:])
    return {
        row[9]
        for row in rows
        if len(row) > 9 and row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port
    }


def _owner(inodes):
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) in wanted:
                pid = link.split("/")[2]
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
                    return f"{name.read().strip()} (pid {pid})"
        except OSError:
            # The process, or its descriptor, is gone meanwhile.
            continue
    return "a process that this host does not show"
