# The packages of the settings are there. With `upgrade`, every other one is up to date, too: as
# the last step, when Docker is held at its version; one that is not held is a refusal.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.unfinished

packages-installed:
  packages.installed:
    - pkgs: {{ cfg.packages.install | json }}
    - require:
      - packages: packages-finished
      - settings: settings-checked

packages-upgraded:
  packages.upgraded:
    - upgrade: {{ cfg.packages.upgrade | json }}
    - docker: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - order: last
    - require:
      - packages: packages-installed
