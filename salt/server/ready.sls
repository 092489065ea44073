# The short name of rancher_salt.server.ready.
{% include 'rancher_salt/short.jinja' %}
