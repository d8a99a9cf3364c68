"""What is watched and for whom: clients, sites, hosts, their agents, and how an agent enrols."""
