-- Runs of playbooks. A run has the id of its job; no foreign key leads out, because a run tells what
-- happened even when its playbook, its hosts or its job are gone. Times are milliseconds since 1970.

alter table playbooks add column survey text;
alter table playbooks add column forks bigint;
alter table playbooks add column timeout bigint;
alter table playbooks add column silence bigint;
alter table playbooks add column connect_timeout bigint;
alter table playbooks add column task_timeout bigint;
alter table playbooks add column output_limit bigint;
alter table playbooks add column no_pipelining boolean not null default false;
alter table playbooks add column always_gather boolean not null default false;
alter table playbooks add column no_fact_cache boolean not null default false;

-- How far the source of a job's stored lines was read: written with the lines themselves.
alter table jobs add column mark bigint not null default 0;

-- The data folder of the server that has a job: a run's workspace is there and nowhere else.
alter table jobs add column place text;

create table runs (
  id text primary key,
  customer text,
  playbook text not null,
  playbook_name text not null,
  revision bigint not null,
  -- What was asked for, secrets masked; JSON.
  request text not null,
  -- Names of groups and machines; a JSON array.
  target text not null,
  command text not null,
  state text not null,
  reason text,
  isolation text not null,
  ansible text,
  person text,
  person_name text not null,
  schedule text,
  parent text,
  recap text not null,
  created_at bigint not null,
  started_at bigint,
  finished_at bigint,
  -- What must be hidden in its output while it runs; sealed, and gone with its end.
  secrets text,
  -- The sequence of its last event, and how far the file of events has been read.
  last_event bigint not null,
  events_offset bigint not null
);

create index runs_customer on runs (customer, id);
create index runs_playbook on runs (playbook, id);
create index runs_state on runs (state, id);

create table run_events (
  run text not null references runs (id) on delete cascade,
  sequence bigint not null,
  at bigint not null,
  event text not null,
  result text,
  primary key (run, sequence)
);

create table run_hosts (
  run text not null references runs (id) on delete cascade,
  host text not null,
  machine text,
  primary key (run, host)
);

create index run_hosts_machine on run_hosts (machine, run);
create index run_hosts_host on run_hosts (host, run);
