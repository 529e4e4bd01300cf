-- The audit trail: one line for each change, written in the change's own transaction. It only grows;
-- the triggers that refuse everything else differ between the databases and stand in src/platform/db/open.rs.

create table audit (
  id text primary key,
  at bigint not null,
  person text,
  person_name text not null,
  customer text,
  kind text not null,
  record text not null,
  action text not null,
  before text not null,
  after text not null,
  address text,
  request text
);

create index audit_record on audit (kind, record, id);
create index audit_customer on audit (customer, id);
