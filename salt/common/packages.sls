# The packages of the settings are there. With `upgrade`, every other one is up to date, too: as
# the last step, when Docker is held at its version. Alone, on a host whose Docker was never
# held, apply `docker` first: the upgrade would move it.
{%- from 'settings.jinja' import cfg with context %}

include:
  - sync
  - settings

packages-installed:
  pkg.installed:
    - pkgs: {{ cfg.packages.install | json }}
    - require:
      - settings: settings-checked

packages-upgraded:
  pkg.uptodate:
    - refresh: True
    - dist_upgrade: True
    - order: last
    - onlyif:
      - fun: test.echo
        text: {{ cfg.packages.upgrade | json }}
    - require:
      - pkg: packages-installed
