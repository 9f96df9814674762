-- Balance: is everything that was received accounted for, and how much of it came twice or was unusable?
-- Tables: run_metrics
-- Adapt: days; unaccounted is 0, or something is wrong
SELECT
  date(created_time) AS run_day,
  count(*) AS batches,
  sum(received) AS received,
  sum(written) AS written,
  sum(duplicate) AS duplicate,
  sum(filtered) AS filtered,
  sum(quarantined) AS quarantined,
  sum(received - written - duplicate - filtered - quarantined) AS unaccounted,
  round(100.0 * sum(duplicate) / sum(received), 1) AS duplicate_percent,
  round(100.0 * sum(quarantined) / sum(received), 1) AS quarantined_percent
FROM run_metrics
WHERE created_time >= current_date - INTERVAL '30' DAY
GROUP BY 1
HAVING sum(received) > 0
ORDER BY 1 DESC
