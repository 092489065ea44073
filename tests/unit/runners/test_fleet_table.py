import _fleet_table as table

FULL = {
    "hostname": "node1.example.com",
    "pool_data_percent": 41.26,
    "pool_metadata_percent": 3.0,
    "pool_next_extension_fits": False,
    "conntrack_percent": 0.04,
    "docker": "17.06.2-ce",
    "agent": "running",
}


def test_a_host():
    assert table.row("node1", {"ret": FULL}, "active") == {
        "minion": "node1",
        "host": "node1.example.com",
        "pool data %": "41.3",
        "metadata %": "3.0",
        "next extension": "NO ROOM",
        "conntrack %": "0.0",
        "docker": "17.06.2-ce",
        "agent": "running",
        "rancher": "active",
    }


def test_a_host_without_a_pool():
    row = table.row("node1", {"ret": {"hostname": "n", "conntrack_percent": None}})
    assert {key for key, value in row.items() if value == "-"} == {
        "pool data %",
        "metadata %",
        "next extension",
        "conntrack %",
        "docker",
        "agent",
        "rancher",
    }


def test_no_answer_and_a_wrong_one():
    assert table.row("node1", False)["agent"] == "no answer"
    answer = {"ret": "Traceback\n'capacity.status' is not available."}
    assert table.row("node1", answer)["agent"] == "'capacity.status' is not available."
    assert set(table.row("node1", False)) == set(table.row("node1", {"ret": FULL}))
