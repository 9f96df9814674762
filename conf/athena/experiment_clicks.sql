-- A parameter of your own: clicks by experiment and variant, which the demo's buttons send as a nested object.
-- Tables: event
-- Adapt: apps, days, the event, the paths in the JSON text
WITH clicks AS (
  SELECT
    app_id,
    user_pseudo_id,
    json_extract_scalar(custom_parameters_json_str, '$.experiment.name') AS experiment,
    json_extract_scalar(custom_parameters_json_str, '$.experiment.variant') AS variant
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND event_name = 'button_click'
    AND NOT coalesce(is_bot, false)
)
SELECT app_id, experiment, variant, count(*) AS clicks, count(DISTINCT user_pseudo_id) AS users
FROM clicks
WHERE experiment IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
