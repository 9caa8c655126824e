-- Leases in a table of their own: a commit holds the row of its partition until it is done, and renewing a lease must
-- not wait for that.

CREATE TABLE leases (
    partition SMALLINT NOT NULL,
    owner TEXT,
    pid INTEGER,
    started TIMESTAMP WITH TIME ZONE,
    until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT leases_pkey PRIMARY KEY (partition),
    CONSTRAINT leases_partition_fkey FOREIGN KEY(partition) REFERENCES partitions (id)
);
INSERT INTO leases SELECT id, owner, owner_pid, owner_started, lease_until FROM partitions;
ALTER TABLE partitions DROP COLUMN owner, DROP COLUMN owner_pid, DROP COLUMN owner_started, DROP COLUMN lease_until;
