# The hosts that run containers for Rancher; the key of the API is in agent_api_key.sls.
rancher:
  roles: [agent]
  agent:
    server_url: http://server1.example.com:8080
