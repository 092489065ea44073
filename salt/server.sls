# The short name of rancher_salt.server.
{% include 'rancher_salt/short.jinja' %}
