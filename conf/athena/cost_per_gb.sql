-- Cost per GB: what do the workers' CPU-seconds of reading raw files cost on EMR Serverless, per GB and per million events?
-- A lower bound: the bill also has the driver, the derived tables, start-up and idle workers (billedResourceUtilization).
-- Tables: run_metrics
-- Adapt: days; prices of your region (here an assumption: ARM, us-east-1), GB of memory by vCPU
WITH prices AS (
  SELECT 0.042094 AS usd_per_vcpu_hour, 0.004628 AS usd_per_gb_hour, 4 AS gb_per_vcpu
),
days AS (
  SELECT
    date(created_time) AS run_day,
    sum(written) AS events,
    sum(decoded_bytes) / 1e9 AS decoded_gb,
    sum(pass_cpu_seconds) / 3600 AS vcpu_hours
  FROM run_metrics
  WHERE created_time >= current_date - INTERVAL '30' DAY
  GROUP BY 1
),
costs AS (
  SELECT run_day, events, decoded_gb, vcpu_hours, vcpu_hours * (usd_per_vcpu_hour + gb_per_vcpu * usd_per_gb_hour) AS usd
  FROM days
  CROSS JOIN prices
)
SELECT
  run_day,
  events,
  decoded_gb,
  vcpu_hours,
  usd,
  usd / nullif(decoded_gb, 0) AS usd_per_gb,
  1e6 * usd / nullif(events, 0) AS usd_per_million_events
FROM costs
ORDER BY run_day DESC
