-- Files beside a playbook, and what it was before. Times are milliseconds since 1970.
-- A new playbook's first version is written before its row in the same transaction, so the foreign keys wait for its end.

-- Contents by the SHA-256 of their bytes, in base64.
create table blobs (
  hash text primary key,
  content text not null,
  size bigint not null,
  at bigint not null
);

create table playbook_files (
  playbook text not null references playbooks (id) on delete cascade deferrable initially deferred,
  path text not null,
  hash text not null references blobs (hash),
  size bigint not null,
  primary key (playbook, path)
);

create index playbook_files_hash on playbook_files (hash);

create table playbook_versions (
  playbook text not null references playbooks (id) on delete cascade deferrable initially deferred,
  number bigint not null,
  -- The blob that lists the version's contents: {"content", "survey", "files": {path: hash}}.
  hash text not null references blobs (hash),
  message text,
  author text,
  author_name text not null,
  at bigint not null,
  primary key (playbook, number)
);

create index playbook_versions_hash on playbook_versions (hash);

-- What Ansible said of a content, by the hash of what was asked; JSON.
create table playbook_checks (
  hash text primary key,
  answer text not null,
  at bigint not null
);
