# The short name of rancher_salt.docker.repo.
{% include 'rancher_salt/short.jinja' %}
