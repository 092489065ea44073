# The short name of rancher_salt.server.container.
{% include 'rancher_salt/short.jinja' %}
