"""One playbook run against one host: its request, its lock on the host, Ansible, and its end."""
