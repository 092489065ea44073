# The short name of rancher_salt.orch.rotate_database_password.
{% include 'rancher_salt/short.jinja' %}
