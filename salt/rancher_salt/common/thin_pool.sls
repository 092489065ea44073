# With a disk for it, Docker has a thin pool there that is watched and grows by itself.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.unfinished

thin-pool-tools-installed:
  packages.installed:
    - pkgs: {{ (cfg.tools.disk + cfg.tools.lvm if cfg.thin_pool.device else []) | json }}
    - require:
      - packages: packages-finished
      - settings: settings-checked

thin-pool-present:
  thinpool.present:
    - name: {{ cfg.thin_pool.name | json }}
    - device: {{ cfg.thin_pool.device | json }}
    - volume_group: {{ cfg.thin_pool.volume_group | json }}
    - profile: {{ cfg.thin_pool.profile | json }}
    - data_percent: {{ cfg.thin_pool.data_percent | json }}
    - metadata_percent: {{ cfg.thin_pool.metadata_percent | json }}
    - chunk_size: {{ cfg.thin_pool.chunk_size | json }}
    - autoextend_threshold: {{ cfg.thin_pool.autoextend_threshold | json }}
    - autoextend_percent: {{ cfg.thin_pool.autoextend_percent | json }}
    - require:
      - packages: thin-pool-tools-installed

thin-pool-extended:
  thinpool.extended:
    - name: {{ cfg.thin_pool.name | json }}
    - devices: {{ cfg.thin_pool.extra_devices | json }}
    - volume_group: {{ cfg.thin_pool.volume_group | json }}
    - require:
      - thinpool: thin-pool-present
