# The short name of rancher_salt.orch.sync.
{% include 'rancher_salt/short.jinja' %}
