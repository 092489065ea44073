"""Runs in the guest: its driver, to which what is asked of Docker and of Rancher is a point, too."""

import guest_driver
import requested

watch = guest_driver.watch


def both(points):
    guest_driver.watch = watch
    reach = points.reach
    points.reach = lambda when, what, **more: reach(when, requested.plain(what), **more)
    requested.watch(points)


if __name__ == "__main__":
    guest_driver.watch = both
    guest_driver.main()
