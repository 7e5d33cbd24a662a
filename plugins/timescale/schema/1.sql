-- Version 1. Run with the schema in the search path, in one transaction.

-- A series of one supply, as one source is entitled to it.
CREATE TABLE series (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source     text NOT NULL,
  cups       text NOT NULL,                 -- as Datadis lists it
  property   text NOT NULL,                 -- EnergyConsumptionGridElectricity, Power, ReactiveEnergy
  resolution text NOT NULL,                 -- PT1H, PT15M, P1M
  UNIQUE (source, cups, property, resolution)
);
CREATE INDEX series_cups ON series (cups);

-- The readings. TimescaleDB makes a hypertable of it. Instants are those of the
-- interval's start and end; a null value is missing, and never zero.
CREATE TABLE reading (
  series_id            integer     NOT NULL,
  start_time           timestamptz NOT NULL,
  end_time             timestamptz NOT NULL,
  period               smallint    NOT NULL, -- tariff period, 1 to 6, of Power and ReactiveEnergy; else 0
  consumption_kwh      numeric,
  surplus_kwh          numeric,
  generation_kwh       numeric,
  self_consumption_kwh numeric,
  max_power_kw         numeric,
  reactive_kvarh       numeric,
  method               text,                 -- how it was obtained, in the distributor's words
  flags                text,                 -- what is not plain, joined by +; null if nothing
  PRIMARY KEY (series_id, start_time, period)
);

-- What is there of each month: exactly one revision.
CREATE TABLE chunk (
  series_id  integer     NOT NULL REFERENCES series,
  month      date        NOT NULL,           -- the first day of the month in Madrid
  revision   bigint      NOT NULL,
  hash       text        NOT NULL,           -- of the content, 16 hexadecimal digits
  readings   integer     NOT NULL,
  run        text        NOT NULL,
  fetched_at timestamptz NOT NULL,           -- when Datadis answered
  PRIMARY KEY (series_id, month)
);

-- What most people query.
CREATE VIEW readings AS
  SELECT s.source, s.cups, s.property, s.resolution, r.start_time, r.end_time, r.period,
         r.consumption_kwh, r.surplus_kwh, r.generation_kwh, r.self_consumption_kwh,
         r.max_power_kw, r.reactive_kvarh, r.method, r.flags
  FROM reading r JOIN series s ON s.id = r.series_id;

-- A supply as one account sees it, with the contract that counts now.
CREATE TABLE supply (
  cups                 text        NOT NULL,
  username             text        NOT NULL,
  authorized_nif       text        NOT NULL, -- empty for the user's own supplies
  sources              text[]      NOT NULL,
  distributor          text        NOT NULL,
  distributor_name     text,
  address              text,
  postal_code          text,
  province             text,
  province_code        text,
  municipality         text,
  municipality_code    text,
  point_type           smallint,
  valid_from           date,
  valid_to             date,
  measurements         text[]      NOT NULL, -- the series that are gathered
  marketer             text,
  tension              text,
  access_fare          text,
  fare_code            text,
  contracted_power_kw  numeric[],            -- per tariff period
  time_discrimination  text,
  contract_start       date,
  contract_end         date,
  self_consumption     text,
  cau                  text,
  run                  text        NOT NULL,
  fetched_at           timestamptz NOT NULL,
  raw                  json        NOT NULL, -- all that Datadis said
  PRIMARY KEY (cups, username, authorized_nif)
);

-- The runs of which this harmonizer was told.
CREATE TABLE run (
  id            text PRIMARY KEY,
  policy        text        NOT NULL,
  started       timestamptz NOT NULL,
  finished      timestamptz,                 -- null until all of the run is here
  outcome       text,                        -- complete, partial, aborted
  failed_grants integer
);
