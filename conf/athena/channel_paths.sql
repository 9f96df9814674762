-- Channel paths: by which channels, in which order, did people come in the 7 days before they ordered?
-- Tables: event, session, user
-- Adapt: apps, days (the sessions' are 7 more), the events of an order and the parameter with its total
WITH visits AS (
  SELECT
    s.app_id,
    coalesce(u.user_id, s.user_pseudo_id) AS person,
    s.event_timestamp AS visit_start,
    s.session_channel_group AS channel
  FROM session s
  JOIN "user" u ON u.app_id = s.app_id AND u.user_pseudo_id = s.user_pseudo_id
  WHERE s.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND s.start_date >= current_date - INTERVAL '37' DAY
    AND s.session_channel_group IS NOT NULL
),
orders AS (
  SELECT
    e.app_id,
    e.event_id,
    coalesce(u.user_id, e.user_pseudo_id) AS person,
    e.event_timestamp AS ordered_at,
    coalesce(e.event_value, TRY_CAST(json_extract_scalar(e.custom_parameters_json_str, '$.total') AS double)) AS worth
  FROM event e
  JOIN "user" u ON u.app_id = e.app_id AND u.user_pseudo_id = e.user_pseudo_id
  WHERE e.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND e.event_date >= current_date - INTERVAL '30' DAY
    AND e.event_name IN ('purchase', 'SubmitOrder')
),
paths AS (
  SELECT
    o.app_id,
    o.event_id,
    max(o.worth) AS worth,
    array_join(array_agg(v.channel ORDER BY v.visit_start), ' > ') AS channels
  FROM orders o
  JOIN visits v
    ON v.app_id = o.app_id
    AND v.person = o.person
    AND v.visit_start BETWEEN o.ordered_at - INTERVAL '7' DAY AND o.ordered_at
  GROUP BY 1, 2
)
SELECT app_id, channels, count(*) AS orders, round(sum(worth), 2) AS revenue
FROM paths
GROUP BY 1, 2
ORDER BY orders DESC, app_id, channels
LIMIT 100
