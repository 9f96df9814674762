-- Lateness: how long after an event does the server receive it, and how many come more than an hour late?
-- The receive time is cut to the second, so it may lie a little before the event: that is no delay.
-- Tables: event
-- Adapt: apps, days, what is late
WITH delays AS (
  SELECT app_id, event_date AS event_day, greatest(ingest_time_msec - event_time_msec, 0) / 1e3 AS delay_seconds
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
)
SELECT
  app_id,
  event_day,
  count(*) AS events,
  count_if(delay_seconds > 3600) AS late,
  round(100.0 * count_if(delay_seconds > 3600) / count(*), 1) AS late_percent,
  approx_percentile(delay_seconds, 0.5) AS median_seconds,
  max(delay_seconds) AS longest_seconds
FROM delays
GROUP BY 1, 2
ORDER BY 1, 2
