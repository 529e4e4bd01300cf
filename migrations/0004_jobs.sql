-- Jobs: the queue, its leases and what came of it. Times are milliseconds since 1970.
-- No foreign key leads out: a job tells what happened even when its customer or its person is purged.

create table jobs (
  id text primary key,
  customer text,
  kind text not null,
  title text not null,
  operation text not null,
  exclusive_key text,
  state text not null,
  progress text,
  outcome text,
  person text,
  person_name text not null,
  address text,
  locale text not null,
  cancel_requested boolean not null,
  created_at bigint not null,
  started_at bigint,
  finished_at bigint,
  -- Who runs it, until when unless renewed, and how often it was claimed: a write names the claim it belongs to.
  worker text,
  lease_until bigint,
  fence bigint not null,
  -- The sequence of its last line, and the bytes of all.
  lines bigint not null,
  bytes bigint not null
);

create unique index jobs_key_live on jobs (exclusive_key) where exclusive_key is not null and state in ('queued', 'running');
create index jobs_state on jobs (state, id);
create index jobs_customer on jobs (customer, id);

create table job_lines (
  job text not null references jobs (id) on delete cascade,
  sequence bigint not null,
  at bigint not null,
  stream text not null,
  text text not null,
  primary key (job, sequence)
);
