# This host is an active member of its Rancher project, through the container rancher-agent.
# Keys, certificate and registration URL are read from the pillar by the state itself.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.running
  - rancher_salt.docker.sdk

rancher-agent-registered:
  rancher.agent_registered:
    - name: rancher-agent
    - server_url: {{ cfg.agent.server_url | json }}
    - project: {{ cfg.agent.project | json }}
    - image: {{ cfg.agent.image | json }}
    - ip: {{ cfg.agent.ip | json }}
    - labels: {{ cfg.agent.labels | json }}
    - timeout: {{ cfg.agent.registered_timeout | json }}
    - require:
      - settings: settings-checked
      - docker_daemon: docker-daemon-running
      - packages: docker-sdk-installed
