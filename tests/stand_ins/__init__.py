"""
Stand-ins for the images rancher/server and rancher/agent, small enough for a slow guest.

    stand_ins.push("http://127.0.0.1:5000")      # both images, all tags, to that registry

`rancher/server` answers as the double in `fake_rancher` does, once it has reached the
database that its environment names; what it knows outlives the container there, or in
/var/lib/mysql. `rancher/agent` does what the original's bootstrap does, with docker's own
API, and stays as `rancher-agent`. Neither has a line of the originals; both say the same
things in the same situations. `programs` holds what runs inside, `root` the system below
it, `images` how they become images.
"""

from .build import IMAGES, push

__all__ = ["IMAGES", "push"]
