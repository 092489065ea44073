# The short name of rancher_salt.orch.deploy.
{% include 'rancher_salt/short.jinja' %}
