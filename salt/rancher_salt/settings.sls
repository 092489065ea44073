# The settings under the pillar key `rancher` are checked before anything else happens.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set settings = opts['rancher-settings'] %}

include:
  - rancher_salt.sync

settings-checked:
  settings.valid:
    - name: rancher
    - defaults: {{ settings.defaults | json }}
    - supported: {{ settings.supported | json }}
    - order: 3
    - failhard: true
