-- Quarantine by reason and day: what could not be used, of which app, and what was wrong with it?
-- Tables: quarantine
-- Adapt: days (of the run that met it first)
SELECT
  date(created_time) AS run_day,
  reason,
  stage,
  coalesce(app_id, '(unknown)') AS app,
  count(*) AS elements,
  count(DISTINCT source_file) AS files,
  max(message) AS one_message
FROM quarantine
WHERE created_time >= current_date - INTERVAL '30' DAY
GROUP BY 1, 2, 3, 4
ORDER BY run_day DESC, elements DESC, reason, stage, app
