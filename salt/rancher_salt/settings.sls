# The settings under the pillar key `rancher` are checked before anything else happens.
{%- from 'rancher_salt/settings.jinja' import base, system, systems with context %}

include:
  - rancher_salt.sync

settings-checked:
  settings.valid:
    - name: rancher
    - defaults: {{ base | json }}
    - supported: {{ (system in systems) | json }}
    - order: 3
    - failhard: true
