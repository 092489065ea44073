# The short name of rancher_salt.docker.suitable.
{% include 'rancher_salt/short.jinja' %}
