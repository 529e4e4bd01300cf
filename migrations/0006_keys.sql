-- What a unique text is compared by: composed and in lower case, written by the server, because the two
-- databases disagree about the case of letters beyond ASCII. What stands there already is filled here as
-- far as it is ASCII, and by the server's next start where it is not.

alter table customers add column domain_key text;
alter table users add column username_key text;
alter table users add column email_key text;
alter table machines add column name_key text;
alter table hosts add column name_key text;
alter table playbooks add column name_key text;

update customers set domain_key = lower(domain) where octet_length(domain) = length(domain);
update users set username_key = lower(username) where octet_length(username) = length(username);
update users set email_key = lower(email) where octet_length(email) = length(email);
update machines set name_key = lower(name) where octet_length(name) = length(name);
update hosts set name_key = lower(name) where octet_length(name) = length(name);
update playbooks set name_key = lower(name) where octet_length(name) = length(name);

drop index customers_domain_unique;
drop index users_username_unique;
drop index users_email_unique;
drop index machines_name_unique;
drop index hosts_name_unique;
drop index playbooks_name_unique;

create unique index customers_domain_unique on customers (domain_key) where deleted_at is null;
create unique index users_username_unique on users (coalesce(customer, ''), username_key) where deleted_at is null;
create unique index users_email_unique on users (coalesce(customer, ''), email_key) where deleted_at is null;
create unique index machines_name_unique on machines (coalesce(customer, ''), name_key) where deleted_at is null;
create unique index hosts_name_unique on hosts (coalesce(customer, ''), name_key) where deleted_at is null;
create unique index playbooks_name_unique on playbooks (coalesce(customer, ''), name_key) where deleted_at is null;
