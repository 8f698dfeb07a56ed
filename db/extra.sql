-- What the Drizzle schema cannot say. `db/generate.ts` appends this file to the initial migration; each statement stands on
-- tables that the schema defines.

-- Losing the counters loses one window (http-platform 4).
alter table http_throttles set unlogged;

-- The counter update of an append stays in its page (khala 4).
alter table khala_streams set (fillfactor = 50);

-- The log only grows at its right edges and is cut at its left ones (khala 4).
alter table khala_events set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
