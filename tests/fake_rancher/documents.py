"""
JSON documents, scripts and pages as the original writes them.

`where` is the place that links start from: `http://host:port/v2-beta[/projects/1a5]`.
Links are lower-case as a whole, except those of scripts.
"""

import json
import time
import uuid

HTML = (
    "<!DOCTYPE html>\n<html><head><title>Rancher</title></head>"
    "<body><div id='loading'>Loading&hellip;</div></body></html>\n"
)

PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method not allowed",
    409: "Conflict",
    422: "Unprocessable Entity",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

# type: (plural, methods of the collection, methods of one, fields, actions)
TYPES = {
    "project": ("projects", ["GET", "POST"], ["GET"], ["name", "uuid", "state"], []),
    "registrationToken": (
        "registrationTokens",
        ["GET", "POST"],
        ["GET"],
        ["name", "description", "state", "command", "image", "token", "registrationUrl"],
        ["activate", "deactivate", "remove", "update"],
    ),
    "host": (
        "hosts",
        ["GET"],
        ["GET", "PUT", "DELETE"],
        ["name", "hostname", "state", "agentState", "agentIpAddress", "labels"],
        [
            "activate",
            "deactivate",
            "remove",
            "evacuate",
            "update",
            "upgrade",
            "delete",
            "provision",
            "dockersocket",
            "purge",
        ],
    ),
    "setting": ("settings", ["GET"], ["GET", "PUT"], ["name", "value"], []),
    "apiKey": ("apiKeys", ["GET", "POST"], ["GET"], ["accountId", "publicValue"], []),
    "register": ("register", ["GET", "POST"], ["GET"], ["key", "accessKey", "secretKey"], []),
}


def encode(document):
    """As the original's JSON writer does: every slash escaped."""
    return json.dumps(document).replace("/", "\\/").encode()


def type_of_path(word):
    """The type that a word in a path means: id or plural, as it is or lower-case."""
    for name, (plural, *_) in TYPES.items():
        if word in (name, plural, name.lower(), plural.lower()):
            return name
    return None


def path_of_type(name):
    return TYPES[name][0].lower()


def error(status, code=None, message=None, detail=None, field=None, old=False):
    document = {
        "id": str(uuid.uuid4()),
        "type": "error",
        "links": {},
        "actions": {},
        "baseType": "error",
        "status": status,
        "code": code or PHRASES[status],
        "message": message if status == 422 else message or code or PHRASES[status],
        "detail": detail,
    }
    if old:
        del document["baseType"]
    if status == 422:
        document["fieldName"] = field
    return document


def version(where, name):
    links = {plural: f"{where}/{plural.lower()}" for plural, *_ in TYPES.values()}
    return {
        "id": name,
        "type": "apiVersion",
        "links": {"self": where, **links},
        "actions": {},
        "baseType": "apiVersion",
    }


def schemas(where):
    data = []
    for name, (plural, of_all, of_one, fields, actions) in TYPES.items():
        data.append(
            {
                "id": name,
                "type": "schema",
                "links": {
                    "self": f"{where}/schemas/{name.lower()}",
                    "collection": f"{where}/{plural.lower()}",
                },
                "actions": {},
                "baseType": "schema",
                "pluralName": plural,
                "collectionMethods": of_all,
                "resourceMethods": of_one,
                "collectionFilters": {"id": {"modifiers": ["eq", "ne"]}},
                "resourceFields": {key: {"type": "string", "nullable": True} for key in fields},
                "resourceActions": {key: {"input": None, "output": name} for key in actions},
            }
        )
    return collection("schema", data, {"self": f"{where}/schemas"})


def collection(kind, data, links, pagination=None, filters=None):
    return {
        "type": "collection",
        "resourceType": kind,
        "links": links,
        "createTypes": {},
        "actions": {},
        "data": data,
        "sortLinks": {},
        "pagination": pagination,
        "sort": None,
        "filters": filters or {},
        "createDefaults": {},
    }


def project(row, where):
    own = f"{where}/projects/{row['id']}"
    plurals = ("hosts", "registrationTokens", "instances", "settings", "schemas")
    links = {plural: f"{own}/{plural.lower()}" for plural in plurals}
    actions = ["deactivate"] if row["state"] == "active" else ["activate", "remove"]
    return {
        "id": row["id"],
        "type": "project",
        "links": {"self": own, **links},
        "actions": _actions(own, [*actions, "update", "delete", "setmembers"]),
        "baseType": "account",
        "name": row["name"],
        "state": row["state"],
        "uuid": row["uuid"],
        "kind": "project",
        "description": None,
        **_created(row),
        "healthState": "healthy",
        "hostRemoveDelaySeconds": None,
        "members": None,
        "orchestration": "cattle",
        "projectTemplateId": None,
        "removed": None,
        "version": "2",
        **_transition(row),
        "virtualMachine": False,
    }


TOKEN_ACTIONS = {
    "registering": ["activate", "deactivate", "remove"],
    "active": ["update", "deactivate"],
    "inactive": ["activate", "remove", "update"],
}


def token(row, where, text, image, script, run="--rm"):
    """A registration token; `script` is the URL that serves its script."""
    own = f"{where}/registrationtokens/{row['id']}"
    # Also of an inactive one.
    filled = row["filled"]
    command = (
        f"sudo docker run {run} --privileged -v /var/run/docker.sock:/var/run/docker.sock "
        f"-v /var/lib/rancher:/var/lib/rancher {image} {script}"
    )
    document = {
        "id": row["id"],
        "type": "registrationToken",
        "links": {"self": own, "account": f"{own}/account"},
        "actions": _actions(own, TOKEN_ACTIONS.get(row["state"], [])),
        "baseType": "credential",
        "name": None,
        "state": row["state"],
        "accountId": row["project"],
        "command": command if filled else None,
        "image": image if filled else None,
        "token": text if filled else None,
        "registrationUrl": script if filled else None,
        "kind": "registrationToken",
        "description": None,
        **_created(row),
        "removed": _date(row["removed"]),
        **_transition(row),
        "uuid": row["uuid"],
    }
    if filled:
        document["windowsCommand"] = 'PowerShell -Sta -Command "docker run ..."'
        document["links"]["registrationUrl"] = script
    return document


HOST_ACTIONS = {
    "active": ["update", "upgrade", "deactivate", "delete", "evacuate", "dockersocket"],
    "inactive": [
        "activate",
        "remove",
        "delete",
        "evacuate",
        "dockersocket",
        "update",
        "upgrade",
        "provision",
    ],
    "deactivating": ["dockersocket"],
    "activating": ["dockersocket"],
}


HOST_LINKS = (
    "account", "clusters", "containerEvents", "containerStats", "healthcheckInstanceHostMaps",
    "hostLabels", "hostStats", "hosts", "instances", "ipAddresses", "physicalHost",
    "serviceEvents", "stats", "storagePools", "volumes",
)  # fmt: skip


def host(row, where, version, in_project=True):
    """A host. v2-beta: the state of an active one is its agent's. v1 knows fewer fields."""
    own = f"{where}/hosts/{row['id']}"
    number = row["id"][2:]
    state, actions = row["state"], HOST_ACTIONS.get(row["state"], [])
    if version == "v1":
        actions = [name for name in actions if name != "evacuate"]
    elif state == "active" and row["agent_state"]:
        state = row["agent_state"]
    document = {
        "id": row["id"],
        "type": "host",
        "links": {"self": own, **{name: f"{own}/{name.lower()}" for name in HOST_LINKS}},
        "actions": _actions(own, actions),
        "baseType": "host",
        "name": row["name"],
        "state": state,
        "accountId": row["project"],
        "agentState": row["agent_state"],
        "computeTotal": 1000000,
        "description": None,
        "hostTemplateId": None,
        "hostname": row["hostname"],
        "kind": "docker",
        "labels": row["labels"],
        "physicalHostId": f"1ph{number}",
        "publicEndpoints": None,
        "info": {"osInfo": {"dockerVersion": "Docker version 17.12.1-ce"}},
        "removed": _date(row["removed"]),
        "stackId": None,
        **_created(row),
        **_transition(row),
        "uuid": row["uuid"],
    }
    if version != "v1":
        document.update(
            agentIpAddress=row["ip"],
            memory=2097152000,
            milliCpu=2000,
            localStorageMb=15000,
            instanceIds=[one["id"] for one in row["instances"]],
        )
        if not in_project:
            document.update(agentId=f"1a{1000 + int(number)}", reportedUuid=row["uuid"])
    return document


def instance(row, where, version="v2-beta"):
    """A container of a host."""
    own = f"{where}/containers/{row['id']}"
    labels = {"io.rancher.environment.uuid": "adminProject", **row["labels"]}
    unit = None
    if row["service"]:
        unit = str(uuid.uuid5(uuid.NAMESPACE_URL, row["id"]))
        labels["io.rancher.service.deployment.unit"] = unit
    if row["system"]:
        labels.setdefault("io.rancher.container.system", "true")
    document = {
        "id": row["id"],
        "type": "container",
        "links": {"self": own},
        "actions": {},
        "baseType": "instance",
        "name": row["name"],
        "state": row["state"],
        "hostId": row["host"],
        "kind": "container",
        "system": row["system"],
        "nativeContainer": row["native"],
        "labels": labels,
        "transitioning": "no",
        "transitioningMessage": None,
    }
    if version != "v1":
        document["deploymentUnitUuid"] = unit
        services = [one for one in (row["service"], row["selector"]) if one]
        document["serviceIds"] = services or None
    return document


def setting(name, value, where):
    return {
        "id": name,
        "type": "activeSetting",
        "links": {"self": f"{where}/settings/{name}"},
        "actions": {},
        "baseType": "setting",
        "name": name,
        "activeValue": value,
        "inDb": value is not None,
        "source": "Database" if value is not None else None,
        "value": value,
    }


def api_key(number, account, public, secret, where):
    return {
        "id": number,
        "type": "apiKey",
        "links": {"self": f"{where}/apikeys/{number}"},
        "actions": {},
        "baseType": "credential",
        "state": "active",
        "accountId": account,
        "publicValue": public,
        "secretValue": secret,
        "transitioning": "no",
    }


def register(known, key, where):
    return {
        "id": known["id"],
        "type": "register",
        "links": {"self": f"{where}/register/{known['id']}"},
        "actions": {},
        "baseType": "register",
        "key": key,
        "state": "active",
        "accessKey": known["accessKey"],
        "secretKey": known["secretKey"],
        "transitioning": "no",
    }


def script(text, url, address):
    return f"""#!/bin/sh

export CATTLE_REGISTRATION_ACCESS_KEY="registrationToken"
export CATTLE_REGISTRATION_SECRET_KEY="{text}"
export CATTLE_URL="{url}"
export DETECTED_CATTLE_AGENT_IP="{address}"
"""


def _actions(own, names):
    return {name: f"{own}/?action={name}" for name in names}


def _date(milliseconds):
    if milliseconds is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds / 1000))


def _created(row):
    return {"created": _date(row["createdTS"]), "createdTS": row["createdTS"]}


def _transition(row):
    return {
        "transitioning": row["transitioning"],
        "transitioningMessage": row.get("transitioningMessage"),
        "transitioningProgress": None,
    }
