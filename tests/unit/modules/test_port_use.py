import os
import socket

import _port_use

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
"""


def test_only_listening_sockets_count():
    assert _port_use.sockets(TABLE, 8080) == {"4711"}
    assert _port_use.sockets(TABLE, 80) == set() and _port_use.sockets("", 80) == set()


def test_a_real_listener_has_its_name():
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = _port_use.listener(server.getsockname()[1])
        assert found.endswith(f"(pid {os.getpid()})")
        port = server.getsockname()[1]
    assert _port_use.listener(port) is None


def test_a_listener_that_this_host_does_not_show(monkeypatch):
    # In another PID namespace, for example.
    monkeypatch.setattr(_port_use._host, "read", lambda path: TABLE.replace("4711", "1"))
    assert _port_use.listener(8080) == "a process that this host does not show"
