# The short name of rancher_salt.orch.upgrade_docker.
{% include 'rancher_salt/short.jinja' %}
