# The short name of rancher_salt.docker.running.
{% include 'rancher_salt/short.jinja' %}
