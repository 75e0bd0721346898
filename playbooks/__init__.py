"""What Ansible does to hosts: roles and plays, and the variables that the model gives them."""
