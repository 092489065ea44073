# The short name of rancher_salt.agent.registered.
{% include 'rancher_salt/short.jinja' %}
