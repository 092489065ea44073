# The short name of rancher_salt.agent.
{% include 'rancher_salt/short.jinja' %}
