-- The tables of the naive loop. The benchmark inserts the rules of its workload.
create table api_keys (
    hash   text primary key,
    org_id uuid not null
);

create table rules (
    id         uuid primary key,
    org_id     uuid not null,
    event_type text not null,
    threshold  int not null,
    window_s   int not null,
    cooldown_s int not null,
    url        text not null
);

create table events (
    id      uuid primary key,
    org_id  uuid not null,
    type    text not null,
    payload jsonb,
    ts      timestamptz not null
);
create index on events (org_id, type, ts desc);

create table notifications (
    id       bigserial primary key,
    org_id   uuid,
    rule_id  uuid,
    event_id uuid,
    count    int,
    status   text,
    created  timestamptz default now()
);

insert into api_keys
values (encode(sha256('sk_test'::bytea), 'hex'), '00000000-0000-0000-0000-000000000001');
