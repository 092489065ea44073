# The short name of rancher_salt.docker.configured.
{% include 'rancher_salt/short.jinja' %}
