-- Schedules: playbooks that are run at set times. Times are milliseconds since 1970.
-- `owner` and `last_run` have no foreign key: a schedule outlives the person whose rights it uses, and its
-- runs are forgotten with time.

create table schedules (
  id text primary key,
  customer text references customers (id),
  revision bigint not null,
  enabled boolean not null,
  created_at bigint not null,
  created_by text,
  updated_at bigint not null,
  updated_by text,
  deleted_at bigint,
  name text not null,
  name_key text,
  description text,
  playbook text not null references playbooks (id),
  options text,
  cron text not null,
  time_zone text not null,
  overlap text not null,
  catch_up text not null,
  owner text,
  language text,
  next_at bigint,
  last_at bigint,
  last_run text,
  last_result text,
  last_reason text,
  -- Since when a time that has come waits for the run before; written by the clock alone.
  waits_since bigint
);

create unique index schedules_name_unique on schedules (coalesce(customer, ''), name_key) where deleted_at is null;
create index schedules_due on schedules (next_at) where next_at is not null;
create index schedules_waiting on schedules (waits_since) where waits_since is not null;
create index schedules_playbook on schedules (playbook);

create table schedule_hosts (
  owner text not null references schedules (id),
  target text not null references hosts (id),
  position bigint not null,
  primary key (owner, target)
);
create index schedule_hosts_target on schedule_hosts (target);

create table schedule_machines (
  owner text not null references schedules (id),
  target text not null references machines (id),
  position bigint not null,
  primary key (owner, target)
);
create index schedule_machines_target on schedule_machines (target);

create table schedule_credentials (
  owner text not null references schedules (id),
  target text not null references credentials (id),
  position bigint not null,
  primary key (owner, target)
);
create index schedule_credentials_target on schedule_credentials (target);

create index runs_schedule on runs (schedule, id) where schedule is not null;
