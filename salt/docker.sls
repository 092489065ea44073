# The short name of rancher_salt.docker.
{% include 'rancher_salt/short.jinja' %}
