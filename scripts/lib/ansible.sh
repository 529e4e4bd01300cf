# shellcheck shell=bash
# Ansible in a virtual environment that is kept for its list of versions. Sourced, after setup.sh.

# Brings Ansible, what keeps its runs apart and leads them to their hosts, and what fetches roles from repositories.
setup_ansible() {
  setup_packages python3:python3 bwrap:bubblewrap ssh:openssh-client git:git
  setup_venv
  [ ! -x "$(ansible_bin)/ansible-playbook" ] || return 0
  say "Installing Ansible (once)"
  local folder
  folder=$(dirname "$(ansible_bin)")
  rm -rf "$folder"
  python3 -m venv "$folder"
  # Half an environment would look like a whole one the next time.
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$ROOT/scripts/lib/ansible.txt" ||
    { rm -rf "$folder" && return 1; }
}

# Prints the folder of ansible-playbook.
ansible_bin() {
  printf '%s/ansible-%s/bin\n' "$CACHE" "$(cksum <"$ROOT/scripts/lib/ansible.txt" | cut -d' ' -f1)"
}
