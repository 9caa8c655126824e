-- How far off a value may be, as a share of it; NULL, which takes no room: it is exact, or a lower bound.

ALTER TABLE alerts ADD COLUMN margin FLOAT;
ALTER TABLE firings ADD COLUMN margin FLOAT;
