# The short name of rancher_salt.server.database.
{% include 'rancher_salt/short.jinja' %}
