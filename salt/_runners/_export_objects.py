"""
The account of everything that is no service: stacks, volumes, secrets, certificates, registries.
"""

import _export_ledger as ledgers

_INVENTORY = "in inventory.yaml"
_FILLED = "filled into its services already; the names are in inventory.yaml"
_TEXT = "not used: the services themselves are read"


def stack(document, space, has_services, has_space):
    """A stack."""
    ledger = ledgers.Ledger(document)
    if has_space:
        ledger.translated("name", f"Namespace {space}")
        ledger.translated("description", "annotation kubernetes.io/description of the Namespace")
    else:
        ledger.changed("name", "nothing is made of it, so no namespace")
        ledger.changed("description", _INVENTORY)
    if has_services:
        for field in ("dockerCompose", "rancherCompose", "templates"):
            ledger.changed(field, _TEXT)
    else:
        for field in ("dockerCompose", "rancherCompose", "templates"):
            ledger.person(field, "Rancher made no service of this text; decide whether it matters")
    ledger.changed("group", _INVENTORY)
    for field in ("environment", "answers"):
        ledger.changed(field, _FILLED)
    if document.get("state") == "error":
        ledger.person("state", "it failed in Rancher: see transitioningMessage")
    return ledger


def volume(document, claim):
    """A volume with or without a name; `claim`: what stands for it now, or None."""
    ledger = ledgers.Ledger(document)
    if not document.get("name"):
        words = "a container's own file system, made of its image: nothing to move"
        ledger.all(ledgers.CHANGED, words)
        return ledger
    if claim:
        ledger.translated("name", f"claim {claim}")
    else:
        ledger.person(
            "name", "no service mounts it, so no claim is made; decide whether it matters"
        )
    for field in ("driver", "storageDriverId"):
        ledger.changed(field, "the storage class or the PersistentVolume of the claim")
    ledger.changed("driverOpts", "as far as the claim says them: size, host, export")
    ledger.changed("accessMode", "accessModes of the claim")
    ledger.changed("sizeMb", "storage of the claim")
    for field in ("volumeTemplateId", "imageId", "instanceId", "uri", "hostId"):
        ledger.changed(field, _INVENTORY)
    ledger.changed("description", _INVENTORY)
    return ledger


def template(document, is_used):
    """What a stack makes volumes of."""
    ledger = ledgers.Ledger(document)
    if is_used:
        ledger.translated("name", "claims of that name")
    else:
        ledger.changed("name", "no service mounts it, so no claim is made")
    ledger.translated("perContainer", "volumeClaimTemplates of a StatefulSet")
    ledger.changed("external", "the volume of that name")
    ledger.changed("driver", "the storage class or the PersistentVolume of the claim")
    ledger.changed("driverOpts", "as far as the claim says them: size, host, export")
    ledger.changed("description", _INVENTORY)
    return ledger


def secret(document, name):
    """A secret of Rancher, whose value nobody gives out."""
    ledger = ledgers.Ledger(document)
    ledger.person("name", f"make the Secret {name}: see the commands in this report")
    ledger.person("value", f"put it into the Secret {name}")
    ledger.changed("description", _INVENTORY)
    return ledger


def certificate(document, name):
    """A certificate, of which Rancher gives everything but the key."""
    ledger = ledgers.Ledger(document)
    ledger.person("name", f"make the Secret {name}: see the commands in this report")
    ledger.person("key", f"put it into the Secret {name}")
    ledger.all(ledgers.CHANGED, _INVENTORY)
    return ledger


def registry(document, name):
    """A registry."""
    ledger = ledgers.Ledger(document)
    ledger.changed("name", f"Secret {name} of imagePullSecrets, where it has a credential")
    ledger.changed("serverAddress", f"server of the Secret {name}")
    ledger.all(ledgers.CHANGED, _INVENTORY)
    return ledger


def credential(document, name):
    """User and password of a registry."""
    ledger = ledgers.Ledger(document)
    ledger.person("publicValue", f"user of the Secret {name}: see the commands in this report")
    ledger.person("secretValue", f"put it into the Secret {name}")
    ledger.all(ledgers.CHANGED, _INVENTORY)
    return ledger
