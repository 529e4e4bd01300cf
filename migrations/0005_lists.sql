-- Lists of machines, of which there may be a million: by name and newest first, within a customer and
-- over all of them. Only live ones, as lists show.

create index machines_list on machines (lower(name), id) where deleted_at is null;
create index machines_customer_list on machines (customer, lower(name), id) where deleted_at is null;
create index machines_customer_newest on machines (customer, id) where deleted_at is null;
create index machines_ipv4 on machines (ipv4) where deleted_at is null;
